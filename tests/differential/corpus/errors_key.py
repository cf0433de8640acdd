settings = {"host": "h"}
settings["port"]
