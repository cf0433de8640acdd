# about = "Code that closes every descriptor has closed its own."
# also = ["subprocess", "container"]
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 10000
import os

os.closerange(0, 1024)
tools.echo(text="x")
