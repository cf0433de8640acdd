# host = "workshop"
# about = "A value that runs something when it is unpickled is not unpickled."
# also = ["in-process"]
# expect = "any"
class Evil:
    def __reduce__(self):
        return (open, (tools_folder + "/unpickled", "w"))

    def __reduce_ex__(self, protocol):
        return self.__reduce__()


tools_folder = tools.places()["folder"]
[Evil(), {"evil": Evil()}]
