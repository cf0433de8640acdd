# about = "A file cannot be created outside of what the session was given."
# expect = ["error:FileNotFoundError", "error:PermissionError", "error:OSError"]
open("/etc/made_by_the_sandbox", "w")
