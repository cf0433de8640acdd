# about = "An outcome that is longer than the limit is not taken."
# expect = ["kind:crashed", "kind:internal"]
# session = ["reset"]
# backends = ["wasm"]
import sys

evaluate = sys.modules["pcm_guest.evaluate"]
evaluate.encode = lambda value: ("1", {})
evaluate._within = lambda limit, value: b" " * (20 * 10**6) + b"1"
1
