"""llama.cpp's own HTTP server: llama.py GGUF PORT"""

import sys
import threading

import xllamacpp

PARAMS = xllamacpp.CommonParams()
PARAMS.model.path, PARAMS.port = sys.argv[1], int(sys.argv[2])
PARAMS.model_alias = {"language"}
PARAMS.n_parallel, PARAMS.n_ctx, PARAMS.n_gpu_layers = 2, 2048, 0
PARAMS.cpuparams.n_threads = PARAMS.cpuparams_batch.n_threads = 1
PARAMS.warmup = False
SERVER = xllamacpp.Server(PARAMS)
print(SERVER.listening_address, flush=True)
threading.Event().wait()
