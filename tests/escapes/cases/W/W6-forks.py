# about = "Randomness differs between a session and its forks."
# backends = ["wasm"]
# expect = "ok"
# sessions = 4
# forked = true
# across = "different_values"
import os
import random
import secrets
import tempfile
import uuid

[
    random.random(),
    random.Random().random(),
    random.SystemRandom().random(),
    random.randbytes(16).hex(),
    uuid.uuid4().hex,
    uuid.uuid1().hex,
    secrets.token_hex(16),
    os.urandom(16).hex(),
    os.getrandom(16).hex() if hasattr(os, "getrandom") else os.urandom(16).hex(),
    next(tempfile._get_candidate_names()),
]
