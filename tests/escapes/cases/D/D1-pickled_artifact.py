# host = "workshop"
# about = "Nor is an artifact that is a pickle, by whatever name."
# expect = "value:5"
folder = tools.places()["folder"]
pickle = f"cposix\nsystem\n(S'touch {folder}/unpickled'\ntR.".encode()
kept = 0
for name in ("x.pkl", "x.pickle", "x.joblib", "x.npy", "x"):
    artifacts.save(name, pickle)
    kept += artifacts.load(name) == pickle
artifacts.list()
kept
