package encoder

import (
	"maps"
	"slices"
)

// A family is how a kind of encoder names its tensors, and where its layers differ from BERT's. A name is "" for what
// it lacks.
type family struct {
	// title is what people call it.
	title                               string
	word, position, kind, embeddingNorm string
	// layer is what names begin with, by the number of the layer or of the group that shares one.
	layer                                    string
	query, key, value, output, attentionNorm string
	down, outputNorm                         string
	// up are one below the other where there are several.
	up []string
	// qkv is query, key and value one below the other, in place of the three.
	qkv string
	// finalNorm belongs to families that normalize what goes into attention and MLP, but for the first attention, instead
	// of what comes out; attentionNorm and outputNorm are those norms.
	finalNorm string
	gate      gate
	// project makes hidden_size of embedding_size, behind the embedding's norm, where config.json says the latter.
	project string
	// distances is a table of what attention's scores get added for how far tokens are apart, the same in all layers.
	distances string
	// afterPad tells that positions count from the one after the pad id.
	afterPad bool
	// read, unless nil, takes from config.json what it says in words of its own, and refuses what cannot be built.
	read func(c *Config, data []byte) error
}

// A gate is which half of what an MLP's first matrix gives is activated and multiplies the other.
type gate int

const (
	noGate gate = iota
	firstHalf
	secondHalf
)

var bert = family{
	title: "BERT", word: "embeddings.word_embeddings", position: "embeddings.position_embeddings",
	kind:          "embeddings.token_type_embeddings",
	embeddingNorm: "embeddings.LayerNorm", layer: "encoder.layer.%d.",
	query: "attention.self.query", key: "attention.self.key", value: "attention.self.value",
	output: "attention.output.dense", attentionNorm: "attention.output.LayerNorm",
	up: []string{"intermediate.dense"}, down: "output.dense", outputNorm: "output.LayerNorm",
}

var distilbert = family{
	title: "DistilBERT", word: "embeddings.word_embeddings", position: "embeddings.position_embeddings",
	embeddingNorm: "embeddings.LayerNorm", layer: "transformer.layer.%d.",
	query: "attention.q_lin", key: "attention.k_lin", value: "attention.v_lin",
	output: "attention.out_lin", attentionNorm: "sa_layer_norm",
	up: []string{"ffn.lin1"}, down: "ffn.lin2", outputNorm: "output_layer_norm",
	read: readDistil,
}

func roberta(title string) family {
	f := bert
	f.title, f.afterPad, f.read = title, true, readRoberta
	return f
}

var modernbert = family{
	title: "ModernBERT",
	word:  "embeddings.tok_embeddings", embeddingNorm: "embeddings.norm", layer: "layers.%d.",
	qkv: "attn.Wqkv", output: "attn.Wo", attentionNorm: "attn_norm",
	up: []string{"mlp.Wi"}, down: "mlp.Wo", outputNorm: "mlp_norm", finalNorm: "final_norm", gate: firstHalf,
	read: readModern,
}

var mpnet = family{
	title: "MPNet", word: "embeddings.word_embeddings", position: "embeddings.position_embeddings",
	embeddingNorm: "embeddings.LayerNorm", layer: "encoder.layer.%d.",
	query: "attention.attn.q", key: "attention.attn.k", value: "attention.attn.v",
	output: "attention.attn.o", attentionNorm: "attention.LayerNorm",
	up: []string{"intermediate.dense"}, down: "output.dense", outputNorm: "output.LayerNorm",
	distances: "encoder.relative_attention_bias", afterPad: true, read: readMPNet,
}

// nomic's norms are called by the layer's, in whose sublayers they follow.
var nomic = family{
	title: "Nomic", word: "embeddings.word_embeddings", kind: "embeddings.token_type_embeddings",
	embeddingNorm: "emb_ln", layer: "encoder.layers.%d.",
	qkv: "attn.Wqkv", output: "attn.out_proj", attentionNorm: "norm1",
	up: []string{"mlp.fc12", "mlp.fc11"}, down: "mlp.fc2", outputNorm: "norm2", gate: firstHalf, read: readNomic,
}

func gte(read func(*Config, []byte) error) family {
	return family{
		title: "GTE", word: "embeddings.word_embeddings", kind: "embeddings.token_type_embeddings",
		embeddingNorm: "embeddings.LayerNorm", layer: "encoder.layer.%d.",
		qkv: "attention.qkv_proj", output: "attention.o_proj", attentionNorm: "attn_ln",
		up: []string{"mlp.up_gate_proj"}, down: "mlp.down_proj", outputNorm: "mlp_ln", gate: secondHalf, read: read,
	}
}

func electra() family {
	f := bert
	f.title, f.project, f.read = "ELECTRA", "embeddings_project", readElectra
	return f
}

var albert = family{
	title: "ALBERT", word: "embeddings.word_embeddings", position: "embeddings.position_embeddings",
	kind: "embeddings.token_type_embeddings", embeddingNorm: "embeddings.LayerNorm",
	project: "encoder.embedding_hidden_mapping_in", layer: "encoder.albert_layer_groups.%d.albert_layers.0.",
	query: "attention.query", key: "attention.key", value: "attention.value",
	output: "attention.dense", attentionNorm: "attention.LayerNorm",
	up: []string{"ffn"}, down: "ffn_output", outputNorm: "full_layer_layer_norm", read: readAlbert,
}

var jina = family{
	title: "Jina v3", word: "embeddings.word_embeddings", kind: "embeddings.token_type_embeddings",
	embeddingNorm: "emb_ln", layer: "encoder.layers.%d.",
	qkv: "mixer.Wqkv", output: "mixer.out_proj", attentionNorm: "norm1",
	up: []string{"mlp.fc1"}, down: "mlp.fc2", outputNorm: "norm2", read: readJina,
}

// families are the kinds of encoders that can be built, by model_type.
var families = map[string]family{
	"bert": bert, "roberta": roberta("RoBERTa"), "xlm-roberta": roberta("XLM-R"), "camembert": roberta("CamemBERT"),
	"distilbert": distilbert, "modernbert": modernbert, "mpnet": mpnet,
	"nomic_bert": nomic, "gte": gte(readGTE(160000)), "new": gte(readGTE(10000)),
	"electra": electra(), "albert": albert, "jina_embeddings_v3": jina,
}

// prefixes are what a checkpoint with a head on top may put before the encoder's tensors.
var prefixes = []string{"", "bert.", "roberta.", "distilbert.", "mpnet.", "new.", "electra.", "albert.", "model."}

// Supports tells whether encoders of the model_type can be built.
func Supports(modelType string) bool {
	_, ok := families[modelType]
	return ok
}

// ModelTypes lists what can be built.
func ModelTypes() []string { return slices.Sorted(maps.Keys(families)) }

// Titles are what people call the families.
func Titles() (titles []string) {
	for _, f := range families {
		titles = append(titles, f.title)
	}
	slices.Sort(titles)
	return slices.Compact(titles)
}
