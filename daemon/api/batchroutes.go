package api

import (
	"net/http"
	"reflect"

	"textmill/daemon/batches"
)

// deletion is what is left of a file.
type deletion struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

// batchRoutes are those of files and batches.
func (s *Server) batchRoutes() []Route {
	full := map[int]string{http.StatusInsufficientStorage: "there is no room for it",
		http.StatusServiceUnavailable: "the queue cannot be asked for now"}
	asked := map[int]string{http.StatusServiceUnavailable: "the queue cannot be asked for now"}
	over := map[int]string{http.StatusConflict: "it is over",
		http.StatusServiceUnavailable: "the queue cannot be asked for now"}
	purpose := Query{"purpose", "of files of this purpose only", schema{"enum": []string{"batch", "batch_output"}}}
	return []Route{
		{http.MethodPost, "/v1/files", "takes a file of requests in, in OpenAI's form. 413: longer than `http.file_bytes`. " +
			"507: no room", s.upload, Says{Form: uploadForm(), Gives: reflect.TypeFor[fileObject](), Codes: full}},
		{http.MethodGet, "/v1/files", "all files, those with answers too", s.files,
			Says{Query: append(pageQuery(10_000), purpose), Gives: reflect.TypeFor[list[fileObject]](), Codes: asked}},
		{http.MethodGet, "/v1/files/{file}", "what is known of one. 404: there is none", s.file,
			Says{Gives: reflect.TypeFor[fileObject](), Codes: asked}},
		{http.MethodDelete, "/v1/files/{file}", "removes it", s.deleteFile,
			Says{Gives: reflect.TypeFor[deletion](), Codes: asked}},
		{http.MethodGet, "/v1/files/{file}/content", "what it holds", s.content,
			Says{Bytes: "application/octet-stream", Codes: asked}},
		{http.MethodPost, "/v1/batches", "has the requests of a file carried out as a job, in OpenAI's form: see below",
			s.createBatch, Says{Takes: batchBody(), Gives: reflect.TypeFor[batchObject](), Codes: full}},
		{http.MethodGet, "/v1/batches", "all batches", s.batches,
			Says{Query: pageQuery(100), Gives: reflect.TypeFor[list[batchObject]](), Codes: asked}},
		{http.MethodGet, "/v1/batches/{batch}", "how far one is. 404: there is none", s.batch,
			Says{Gives: reflect.TypeFor[batchObject](), Codes: asked}},
		{http.MethodPost, "/v1/batches/{batch}/cancel", "ends it; what is done stays. 409: it is over", s.cancelBatch,
			Says{Gives: reflect.TypeFor[batchObject](), Codes: over}},
	}
}

func pageQuery(most int) []Query {
	return []Query{{"limit", "so many at most", schema{"type": "integer", "minimum": 1, "maximum": most}},
		{"after", "those that come after this one", schema{"type": "string"}},
		{"order", "desc, the newest first, or asc", schema{"enum": []string{"asc", "desc"}}}}
}

func expiry() schema {
	return schema{"type": "object", "required": []string{"anchor", "seconds"}, "additionalProperties": false,
		"properties": schema{"anchor": schema{"enum": []string{"created_at"}},
			"seconds": schema{"type": "integer", "minimum": leastExpiry, "maximum": mostExpiry}}}
}

func uploadForm() schema {
	return schema{"type": "object", "required": []string{"file", "purpose"}, "additionalProperties": false,
		"properties": schema{
			"file":                  schema{"type": "string", "format": "binary"},
			"purpose":               schema{"enum": []string{"batch"}},
			"expires_after[anchor]": schema{"enum": []string{"created_at"}},
			"expires_after[seconds]": schema{"type": "integer", "minimum": leastExpiry,
				"maximum": mostExpiry},
		},
		"dependentRequired": schema{"expires_after[anchor]": []string{"expires_after[seconds]"},
			"expires_after[seconds]": []string{"expires_after[anchor]"}}}
}

func batchBody() schema {
	return schema{"type": "object", "required": []string{"input_file_id", "endpoint", "completion_window"},
		"additionalProperties": false,
		"properties": schema{
			"input_file_id": schema{"type": "string", "minLength": 1},
			"endpoint":      schema{"enum": BatchEndpoints},
			"completion_window": about("24h, or another number of s, m, h or d up to 30d",
				schema{"type": "string", "pattern": windowForm.String()}),
			"metadata": about("dataset names the table that the rows go into", orNull(schema{
				"type": "object", "maxProperties": mostPairs,
				"propertyNames": schema{"type": "string", "maxLength": longestKey},
				"properties": schema{batches.DatasetKey: schema{"type": "string",
					"pattern": "^[A-Za-z0-9-][A-Za-z0-9_-]{0,63}$"}},
				"additionalProperties": schema{"type": "string", "maxLength": longestText}})),
			"output_expires_after": orNull(expiry()),
		}}
}
