# host = "workshop"
# about = "All that a session stores together is bounded, what it deletes included."
# expect = "error:ArtifactError"
for number in range(100):
    artifacts.save(f"part{number % 3}", b"x" * 2**20)
    artifacts.delete(f"part{number % 3}")
