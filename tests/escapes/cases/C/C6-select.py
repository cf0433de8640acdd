# about = "A wait for nothing is an error or is stopped."
# expect = ["error:OSError", "kind:timeout"]
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import select

select.select([], [], [], None)
