# about = "A program that keeps the output open does not keep the run."
# backends = ["subprocess", "container"]
# expect = "value:1"
# limits.timeout_ms = 10000
import subprocess

span = tools.places()["span"]
subprocess.Popen(["sleep", span])
subprocess.Popen(["sh", "-c", f"sleep {span} & sleep {span} &"])
1
