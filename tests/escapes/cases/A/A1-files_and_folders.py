# host = "workshop"
# about = "An artifact is not a folder of others, and deleting it deletes nothing else."
# expect = "value:true"
artifacts.save("a/b", "inner")
for use in (lambda: artifacts.save("a", "outer"), lambda: artifacts.delete("a"), lambda: artifacts.load("a"), lambda: artifacts.save("a/b/c", "deep")):
    try:
        use()
    except ArtifactError:
        pass
artifacts.load("a/b") == "inner"
