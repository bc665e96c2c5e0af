package fetch

// cudaWheels are the parts of what runs models on NVIDIA's cards, by their names: ONNX Runtime's build for CUDA 13,
// and the libraries of CUDA that it needs, of the version that it was built with, so that every driver from 580 on
// takes them. The release archives of this build are not pinned, since no hash of them could be had.
var cudaWheels = map[string]route{
	cudaRuntime: cudaWheel("manylinux_2_28_x86_64", "onnxruntime-gpu", "1.31.1",
		"e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6", "onnxruntime/capi/", []pin{
			{"libonnxruntime_providers_shared.so", "libonnxruntime_providers_shared.so",
				"086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d"},
			{"libonnxruntime_providers_cuda.so", "libonnxruntime_providers_cuda.so",
				"d5290158115fa5569a3fe8f1f4037ee9b0e86658a96e52f852bbb7039aa88137"},
			{"libonnxruntime.so.1.31.1", "libonnxruntime.so",
				"5104254339ecadae808da771bd0b63b240f0dbd466514234905e54372435c303"},
		}),
	"cudart": cudaWheel("manylinux2014_x86_64", "nvidia-cuda-runtime", "13.0.96",
		"7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548", "nvidia/cu13/lib/", []pin{
			{"libcudart.so.13", "libcudart.so.13",
				"96c42e418cec19054186b9429c321603cc190bf26a18104e19408117a2a817b0"},
		}),
	"nvrtc": cudaWheel("manylinux2010_x86_64", "nvidia-cuda-nvrtc", "13.0.88",
		"ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575", "nvidia/cu13/lib/", []pin{
			{"libnvrtc-builtins.so.13.0", "libnvrtc-builtins.so.13.0",
				"91dcd944d01da9c0f08fff5d779db136a47f6d62bdb63bae900d2f481e92c3a2"},
			{"libnvrtc.so.13", "libnvrtc.so.13",
				"a49e67e8e74590f1e98de55c39c6287efd3f59e3c3797464d7bbe0fe01349b11"},
		}),
	"cublas": cudaWheel("manylinux_2_27_x86_64", "nvidia-cublas", "13.1.0.3",
		"ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171", "nvidia/cu13/lib/", []pin{
			{"libcublasLt.so.13", "libcublasLt.so.13",
				"656298c804f5adbb0df930545c17911b9584ab4e5101c0eeb65d1fe881d880f8"},
			{"libcublas.so.13", "libcublas.so.13",
				"e70f38efabe986acd5eb683497c62f0f1730a6176ee291d9d24c6e339d1fbf86"},
		}),
	"curand": cudaWheel("manylinux_2_27_x86_64", "nvidia-curand", "10.4.0.35",
		"1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc", "nvidia/cu13/lib/", []pin{
			{"libcurand.so.10", "libcurand.so.10",
				"b53732a66b302b11926e00f762e2c2ba67058347ff93cf4ae709de45e93e06da"},
		}),
	"cudnn": cudaWheel("manylinux_2_27_x86_64", "nvidia-cudnn-cu13", "9.26.0.51",
		"9c976d539786698c71d6bcdbe2053b7485fae062ff7e1215d2f2ff67b1a2149a", "nvidia/cudnn/lib/", []pin{
			{"libcudnn.so.9", "libcudnn.so.9",
				"08308aa4767b3395766de5884e97d404012efc2bd573c2c799f46161d2aded8a"},
			{"libcudnn_adv.so.9", "libcudnn_adv.so.9",
				"dead427901fb258e9b49616a28d9e632846c15e55dc16368350aadcc1d85d20a"},
			{"libcudnn_cnn.so.9", "libcudnn_cnn.so.9",
				"538f1747d3afb26855a5298d222bf6e5f64c5eed4f6646da7bdc12030dcf8c8a"},
			{"libcudnn_engines_precompiled.so.9", "libcudnn_engines_precompiled.so.9",
				"344abee9c22d35adb59b7877a8eba61e6c42370363e92e15a7dde10b277dae77"},
			{"libcudnn_engines_runtime_compiled.so.9", "libcudnn_engines_runtime_compiled.so.9",
				"27a76a3c510cc3d3f7374b9a432257774a7aef980ed203e5529e08ec1e477254"},
			{"libcudnn_engines_tensor_ir.so.9", "libcudnn_engines_tensor_ir.so.9",
				"30f2309519f08b8870b95791a0fa97d834dac6b9875f21a8dc96df35bb2762ea"},
			{"libcudnn_ext.so.9", "libcudnn_ext.so.9",
				"1f438cb2944c2c554ca22708596c5812fbb5cb91206a94987473997668e6d142"},
			{"libcudnn_graph.so.9", "libcudnn_graph.so.9",
				"ecf218feb8b5f891df654fb5500523b1ca2bc5602ce5c4e47392a55823815bd3"},
			{"libcudnn_heuristic.so.9", "libcudnn_heuristic.so.9",
				"70df8fcfbe225cf55b54c3702bf33ff66f7e0a706c76c20bac3ff162df0b1423"},
			{"libcudnn_ops.so.9", "libcudnn_ops.so.9",
				"35b35884301acd3a9fb11ae7edeb00b81c09917e8bc578a622b21341764f90a8"},
		}),
}

// cudaRuntime is the part that no system has.
const cudaRuntime = "onnxruntime"

// cudaWheel is a route to libraries that lie in one folder of a wheel.
func cudaWheel(platform, name, version, sha256, folder string, pins []pin) route {
	for i := range pins {
		pins[i].in = folder + pins[i].in
	}
	return route{"linux/amd64", version, []part{{wheel{platform, "311"}, name, version, sha256, pins}}}
}
