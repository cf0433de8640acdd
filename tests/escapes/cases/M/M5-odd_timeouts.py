# about = "Waits of odd lengths are waits."
# expect = ["kind:timeout"]
# session = ["kept", "reset"]
# backends = ["wasm"]
# limits.timeout_ms = 1000
import _pcm_host

for timeout in (0.0, -0.0, 1e-300, float("nan"), -1e308):
    _pcm_host.poll(timeout)
_pcm_host.poll(float("inf"))
