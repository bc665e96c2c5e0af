package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"textmill/jobs"
)

// schema is a JSON Schema, or any other object of an OpenAPI document.
type schema = map[string]any

// Says is what the OpenAPI document says of a route beside its path.
type Says struct {
	Takes   schema         // of a JSON body; nil where there is none
	Form    schema         // of a body of multipart/form-data
	Query   []Query        // what may stand behind the path
	In      schema         // schemas of the path's own parameters that are not any string
	Gives   reflect.Type   // of the answer's JSON; nil where it is none
	Bytes   string         // the media type of an answer that is no JSON
	Streams bool           // whether stream: true has it answer by server-sent events
	Codes   map[int]string // beside 200, and those that every route has: what they mean
}

// Query is a parameter behind a path.
type Query struct {
	Name, About string
	Schema      schema
}

// document describes routes in the form of OpenAPI 3.1.
func document(routes []Route) schema {
	paths := schema{}
	for _, r := range routes {
		at, _ := paths[r.Path].(schema)
		if at == nil {
			at = schema{}
			paths[r.Path] = at
		}
		at[strings.ToLower(r.Method)] = r.operation(leadsTo(&r, routes))
	}
	return schema{
		"openapi": "3.1.0",
		"info": schema{
			"title": "textmill", "version": "1",
			"description": "What a daemon of textmill answers to clients of OpenAI's API; docs/reference/http.md says more.",
		},
		"paths":    paths,
		"security": []schema{{}, {"token": []string{}}},
		"components": schema{
			"securitySchemes": schema{"token": schema{"type": "http", "scheme": "bearer"}},
			"schemas":         schema{"Error": schemaOf(reflect.TypeFor[map[string]failure]())},
		},
	}
}

// leadsTo are the operations on what a route makes, which its answer calls by id.
func leadsTo(made *Route, routes []Route) schema {
	links := schema{}
	for i := range routes {
		r := &routes[i]
		rest, below := strings.CutPrefix(r.Path, made.Path+"/")
		if name := inPath.FindStringSubmatch(rest); below && name != nil && made.Method == http.MethodPost {
			links[operationID(r)] = schema{"operationId": operationID(r), "parameters": schema{name[1]: "$response.body#/id"}}
		}
	}
	return links
}

var inPath = regexp.MustCompile(`\{([a-z_]+)\}`)

// refusals are the errors that a route may answer with.
func (r *Route) refusals() map[int]string {
	codes := map[int]string{http.StatusUnauthorized: "the token is missing or another",
		http.StatusMisdirectedRequest: "the daemon is not called by that name"}
	if r.Takes != nil || r.Form != nil {
		codes[http.StatusBadRequest] = "what is wrong with the request, by the name of its field"
		codes[http.StatusNotFound] = "what the request names does not exist"
		codes[http.StatusInternalServerError] = "the model failed"
		codes[http.StatusTooManyRequests] = "too many requests are being answered; Retry-After says when to try again"
		codes[http.StatusServiceUnavailable] = "the daemon goes down; Retry-After says when to try again"
	} else {
		codes[http.StatusBadRequest] = "the request's line or a parameter of it cannot be read"
	}
	codes[http.StatusRequestEntityTooLarge] = "the body is longer than it may be, or there should be none"
	if inPath.MatchString(r.Path) {
		codes[http.StatusNotFound] = "there is none of that name"
	}
	maps.Copy(codes, r.Codes)
	return codes
}

func (r *Route) operation(links schema) schema {
	op := schema{"summary": r.About, "operationId": operationID(r)}
	var parameters []schema
	for _, name := range inPath.FindAllStringSubmatch(r.Path, -1) {
		values, known := r.In[name[1]]
		if !known {
			values = schema{"type": "string", "minLength": 1}
		}
		parameters = append(parameters, schema{"name": name[1], "in": "path", "required": true, "schema": values})
	}
	for _, q := range r.Query {
		parameters = append(parameters, schema{"name": q.Name, "in": "query", "description": q.About, "schema": q.Schema})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	for media, body := range map[string]schema{"application/json": r.Takes, "multipart/form-data": r.Form} {
		if body != nil {
			op["requestBody"] = schema{"required": true, "content": schema{media: schema{"schema": body}}}
		}
	}
	content := schema{}
	if r.Gives != nil {
		content["application/json"] = schema{"schema": schemaOf(r.Gives)}
	}
	if r.Streams {
		content["text/event-stream"] = schema{"schema": schema{"type": "object", "description": "of each event",
			"properties": schema{"data": schema{"type": "string"}}}}
	}
	if r.Bytes != "" {
		content[r.Bytes] = schema{"schema": schema{"type": "string", "format": "binary"}}
	}
	responses := schema{"200": schema{"description": "what was asked for", "content": content, "links": links}}
	for code, about := range r.refusals() {
		responses[strconv.Itoa(code)] = schema{"description": about, "content": schema{"application/json": schema{
			"schema": schema{"$ref": "#/components/schemas/Error"}}}}
	}
	op["responses"] = responses
	return op
}

// operationID is a name for a client's method: post_embeddings.
func operationID(r *Route) string {
	words := strings.FieldsFunc(strings.TrimPrefix(r.Path, "/v1/"), func(c rune) bool { return strings.ContainsRune("/{}.", c) })
	return strings.Join(append([]string{strings.ToLower(r.Method)}, words...), "_")
}

// schemaOf is the JSON Schema of what a type is written as.
func schemaOf(t reflect.Type) schema {
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[json.RawMessage](): {},
	}})
	if err != nil {
		panic(err) // a type of ours, which no request chooses
	}
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	var out schema
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

// bodyOf is the schema of a request's body: the fields named, and the params of a task but for some.
func bodyOf(task string, required []string, fields schema, without ...string) schema {
	properties := schema{}
	for _, p := range jobs.Params(task) {
		if !slices.Contains(without, p.Name) {
			s := maps.Clone(p.Schema)
			s["description"] = p.About
			properties[p.Name] = s
		}
	}
	maps.Copy(properties, fields)
	return schema{"type": "object", "required": required, "properties": properties, "additionalProperties": false}
}

// orNull is a schema of what may be null, which leaves it out.
func orNull(s schema) schema { return schema{"anyOf": []any{s, schema{"type": "null"}}} }

// about is a schema with a description.
func about(text string, s schema) schema { s["description"] = text; return s }

// named is the schema of the name of a model that is served for a task, of any where task is "".
func (s *Server) named(task string) schema {
	names := []string{}
	for i := range s.o.Models {
		if m := &s.o.Models[i]; task == "" || m.Task == task {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 {
		return schema{"type": "string", "minLength": 1}
	}
	return schema{"enum": names}
}

func (s *Server) embeddingsBody() schema {
	text := schema{"type": "string"}
	return bodyOf("embed", []string{"model", "input"}, schema{
		"model":           s.named("embed"),
		"input":           schema{"anyOf": []any{text, schema{"type": "array", "items": text, "minItems": 1, "maxItems": 2048}}},
		"encoding_format": orNull(schema{"enum": []string{"float", "base64"}}),
		"user":            about("kept nowhere", orNull(schema{"type": "string"})),
		"metadata":        about("kept nowhere", orNull(schema{"type": "object", "additionalProperties": schema{"type": "string"}})),
		"model_sha256":    about("what the model's hash must be", orNull(schema{"type": "string"})),
	}, "chunk_size", "chunk_overlap", "store_text", "store_token_ids")
}

// openapi answers with the document.
func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, document(s.Routes()))
}
