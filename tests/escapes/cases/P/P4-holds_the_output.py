# about = "A program that keeps the output open does not keep the run."
# backends = ["subprocess", "container"]
# expect = "value:1"
# limits.timeout_ms = 10000
import subprocess

subprocess.Popen(["sleep", "3141.59"])
subprocess.Popen(["sh", "-c", "sleep 3141.59 & sleep 3141.59 &"])
1
