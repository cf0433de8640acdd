# about = "A monitor of all events that swallows exceptions does not keep the code alive."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import sys

monitoring = sys.monitoring
monitoring.use_tool_id(1, "dodge")
monitoring.register_callback(1, monitoring.events.BRANCH, lambda *what: None)
monitoring.register_callback(1, monitoring.events.LINE, lambda *what: None)
monitoring.set_events(1, monitoring.events.BRANCH | monitoring.events.LINE)
while True:
    pass
