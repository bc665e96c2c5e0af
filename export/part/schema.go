package part

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// record is a Row as it lies in Parquet: the order and types of the columns are a contract. The embedding's
// compression is left to the writer, which knows its type.
type record[E float32 | int8 | int16] struct {
	Job            *string           `parquet:"job,optional,dict,zstd"`
	Shard          *string           `parquet:"shard,optional,dict,zstd"`
	RecordID       *string           `parquet:"record_id,optional,plain,zstd"`
	Task           *string           `parquet:"task,optional,dict,zstd"`
	Model          *string           `parquet:"model,optional,dict,zstd"`
	ModelSHA256    *string           `parquet:"model_sha256,optional,dict,zstd"`
	Text           *string           `parquet:"text,optional,plain,zstd"`
	Error          *string           `parquet:"error,optional,dict,zstd"`
	Output         *string           `parquet:"output,optional,plain,zstd"`
	FinishReason   *string           `parquet:"finish_reason,optional,dict,zstd"`
	Attributes     map[string]string `parquet:"attributes,optional" parquet-key:",plain,zstd" parquet-value:",plain,zstd"`
	InputIDs       []int32           `parquet:"input_ids,optional,list,plain,zstd"`
	OutputIDs      []int32           `parquet:"output_ids,optional,list,plain,zstd"`
	NTokens        *int32            `parquet:"n_tokens,optional,plain,zstd"`
	NDropped       *int32            `parquet:"n_dropped,optional,plain,zstd"`
	Dim            *int32            `parquet:"dim,optional,plain,zstd"`
	Chunk          *int32            `parquet:"chunk,optional,plain,zstd"`
	ChunkStart     *int32            `parquet:"chunk_start,optional,plain,zstd"`
	ChunkEnd       *int32            `parquet:"chunk_end,optional,plain,zstd"`
	NOutputTokens  *int32            `parquet:"n_output_tokens,optional,plain,zstd"`
	StreamSequence *int64            `parquet:"stream_sequence,optional,plain,zstd"`
	Seed           *int64            `parquet:"seed,optional,plain,zstd"`
	Truncated      *bool             `parquet:"truncated,optional,plain,zstd"`
	Norm           *float64          `parquet:"norm,optional,plain,zstd"`
	Embedding      []E               `parquet:"embedding,optional,list,plain"`
	Logprobs       []float32         `parquet:"logprobs,optional,list,plain,zstd"`
	CreatedAt      *int64            `parquet:"created_at,optional,timestamp(microsecond:utc),plain,zstd"`
	ContentSHA256  *string           `parquet:"content_sha256,optional,plain,zstd"`
	StreamCreated  *int64            `parquet:"stream_created,optional,timestamp(microsecond:utc),dict,zstd"`
	Day            *int32            `parquet:"-"` // the last two are of tables that are partitioned by them
	Constant       *string           `parquet:"-"`
}

// younger are the columns that tables and files of before may lack.
var younger = []string{"content_sha256", "stream_created"}

type deltaField struct {
	Name     string   `json:"name"`
	Type     any      `json:"type"`
	Nullable bool     `json:"nullable"`
	Metadata struct{} `json:"metadata"`
}

type deltaArray struct {
	Type         string `json:"type"`
	ElementType  string `json:"elementType"`
	ContainsNull bool   `json:"containsNull"`
}

type deltaMap struct {
	Type              string `json:"type"`
	KeyType           string `json:"keyType"`
	ValueType         string `json:"valueType"`
	ValueContainsNull bool   `json:"valueContainsNull"`
}

// SchemaString is the Delta schema of a table whose embeddings have this element type, and which has constants.
func SchemaString(kind Embedding, constants ...Constant) string {
	array := func(e string) any { return deltaArray{Type: "array", ElementType: e} }
	var fields []deltaField
	add := func(typ any, names ...string) {
		for _, n := range names {
			fields = append(fields, deltaField{Name: n, Type: typ, Nullable: true})
		}
	}
	add("string", "job", "shard", "record_id", "task", "model", "model_sha256", "text", "error", "output",
		"finish_reason")
	add(deltaMap{Type: "map", KeyType: "string", ValueType: "string"}, "attributes")
	add(array("integer"), "input_ids", "output_ids")
	add("integer", "n_tokens", "n_dropped", "dim", "chunk", "chunk_start", "chunk_end", "n_output_tokens")
	add("long", "stream_sequence", "seed")
	add("boolean", "truncated")
	add("double", "norm")
	add(array(kind.DeltaType()), "embedding")
	add(array("float"), "logprobs")
	add("timestamp", "created_at")
	add("string", "content_sha256")
	add("timestamp", "stream_created")
	for _, c := range constants {
		if !IsColumn(c.Name) {
			add(c.deltaType(), c.Name)
		}
	}
	b, err := json.Marshal(struct {
		Type   string       `json:"type"`
		Fields []deltaField `json:"fields"`
	}{"struct", fields})
	if err != nil {
		panic(err) // plain strings and booleans always marshal
	}
	return string(b)
}

// KindOf tells the element type of a Delta schema's embedding column; an error says how rows of ours cannot be written
// to a table of that schema. Columns may stand in any order, and others beside ours that may be null: a part that
// lacks them says null.
func KindOf(schemaString string) (Embedding, error) {
	got, err := fieldsOf(schemaString)
	if err != nil {
		return 0, err
	}
	kind := Float32
	for k := Float32; k <= Int16; k++ {
		if i := slices.IndexFunc(got, named("embedding")); i >= 0 && sameType(got[i], fieldOfEmbedding(k)) {
			kind = k
		}
	}
	want, err := fieldsOf(SchemaString(kind))
	if err != nil {
		return 0, err
	}
	return kind, fits(want, got)
}

// HasColumns is an error where a schema lacks a constant, or has it as something else.
func HasColumns(schemaString string, constants []Constant) error {
	got, err := fieldsOf(schemaString)
	for _, c := range constants {
		i := slices.IndexFunc(got, named(c.Name))
		if err == nil && (i < 0 || got[i]["type"] != c.deltaType()) {
			err = fmt.Errorf("it has no column %s of the type %s", c.Name, c.deltaType())
		}
	}
	return err
}

// Lacks says whether a schema, which KindOf takes, is one of before some column of ours.
func Lacks(schemaString string) bool {
	got, err := fieldsOf(schemaString)
	return err == nil && slices.ContainsFunc(younger, func(name string) bool {
		return !slices.ContainsFunc(got, named(name))
	})
}

// Evolved is a schema with an element type of the embedding column and the columns of ours that it lacked, and
// everything else as it is.
func Evolved(schemaString string, kind Embedding) (string, error) {
	var schema map[string]any
	if err := json.Unmarshal([]byte(schemaString), &schema); err != nil {
		return "", fmt.Errorf("schemaString is not JSON: %w", err)
	}
	fields, err := fieldsOf(schemaString)
	if err != nil {
		return "", err
	}
	for _, f := range fields {
		if named("embedding")(f) {
			f["type"] = deltaArray{Type: "array", ElementType: kind.DeltaType()}
		}
	}
	ours, err := fieldsOf(SchemaString(kind))
	if err != nil {
		return "", err
	}
	for _, f := range ours {
		if name := f["name"].(string); slices.Contains(younger, name) && !slices.ContainsFunc(fields, named(name)) {
			fields = append(fields, f)
		}
	}
	schema["fields"] = fields
	b, err := json.Marshal(schema)
	return string(b), err
}

// field is a column of a Delta schema, as JSON has it.
type field = map[string]any

func named(name string) func(field) bool { return func(f field) bool { return f["name"] == name } }

func fieldOfEmbedding(kind Embedding) field {
	return field{"type": map[string]any{"type": "array", "elementType": kind.DeltaType(), "containsNull": false}}
}

func sameType(a, b field) bool { return reflect.DeepEqual(a["type"], b["type"]) }

func fieldsOf(schemaString string) ([]field, error) {
	var schema struct {
		Fields []field `json:"fields"`
	}
	if err := json.Unmarshal([]byte(schemaString), &schema); err != nil {
		return nil, fmt.Errorf("schemaString is not JSON: %w", err)
	}
	return schema.Fields, nil
}

// fits leaves each column's metadata aside, in which other tools keep comments, but for what a writer must heed.
func fits(want, got []field) error {
	for _, w := range want {
		name := w["name"].(string)
		i := slices.IndexFunc(got, named(name))
		if i < 0 && slices.Contains(younger, name) {
			continue
		}
		if i < 0 {
			return fmt.Errorf("it has no column %v", w["name"])
		}
		if !sameType(got[i], w) {
			return fmt.Errorf("column %v is %v, textmill's is %v", w["name"], got[i]["type"], w["type"])
		}
	}
	for _, g := range got {
		if nullable, _ := g["nullable"].(bool); !nullable {
			return fmt.Errorf("column %v must not be null", g["name"])
		}
		if key := demand(g); key != "" {
			return fmt.Errorf("column %v has %s", g["name"], key)
		}
	}
	return nil
}

// demand finds what a writer must heed in a column or in what it is made of.
func demand(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"delta.invariants", "delta.generationExpression", "delta.identity.start",
			"delta.columnMapping.id"} {
			if _, ok := v[key]; ok {
				return key
			}
		}
		for _, inner := range v {
			if key := demand(inner); key != "" {
				return key
			}
		}
	case []any:
		for _, inner := range v {
			if key := demand(inner); key != "" {
				return key
			}
		}
	}
	return ""
}
