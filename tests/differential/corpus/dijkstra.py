import heapq

graph = {"a": {"b": 7, "c": 3}, "b": {"d": 2}, "c": {"b": 1, "d": 8}, "d": {}}
distance, heap = {}, [(0, "a", ())]
while heap:
    cost, node, path = heapq.heappop(heap)
    if node in distance:
        continue
    distance[node] = (cost, [*path, node])
    for other, step in graph[node].items():
        heapq.heappush(heap, (cost + step, other, (*path, node)))
distance
