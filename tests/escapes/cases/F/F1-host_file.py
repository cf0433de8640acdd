# about = "A file of the host cannot be read by its name."
# also = ["container"]
# expect = "value:[]"
found = []
for path in ("/etc/shadow", "/etc/hostname", "/root/.profile", "/root/.bashrc", "/etc/machine-id", tools.places()["file"]):
    try:
        text = open(path, "rb").read()
    except OSError:
        continue
    # A container has files of these names that are its own.
    if b"canary-" in text or path == tools.places()["file"]:
        found.append(path)
found
