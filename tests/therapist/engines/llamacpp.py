"""llama.cpp's own server, from the package xllamacpp: `python llamacpp.py FILE.gguf` serves and prints its address.

It ends when its standard input does.
"""

import sys

import xllamacpp

if __name__ == "__main__":
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.model_alias = {"smollm2"}
    parameters.port = 0
    parameters.n_parallel = 4
    parameters.n_ctx = 4 * 2048
    parameters.n_batch = parameters.n_ubatch = 128  # so much is read before it looks whether anybody still wants it
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 2
    server = xllamacpp.Server(parameters)  # says itself where it listens
    sys.stdin.read()
