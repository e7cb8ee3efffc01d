"""Which replica a request goes to: the one that has its file.

Serve's own router for `serve.multiplexed` learns from the replicas which files they have, some
tenths of a second late, and sends a request elsewhere whenever its replica does not answer at once.
This one remembers where it sent a file, and leaves it there for as long as that replica lives and
takes requests; what it knows from Serve are the files that another ingress has sent somewhere.
"""

import time
from collections import Counter, OrderedDict
from typing import Any

from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica

MOST_KNOWN = 10_000  # files
PATIENCE_SECONDS = 2.0  # with a replica that takes no requests


class FileRouter(RequestRouter):
    """Of one handle of the engine's deployment."""

    def initialize_state(self, **options: Any) -> None:
        self._homes: OrderedDict[str, ReplicaID] = OrderedDict()  # of files, used last at the end

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """The replicas to try, in groups. Asked again, a little later each time, until one of them
        takes the request; any of them will do for one that is about no file."""
        file = _file_of(pending_request)
        if pending_request is None or not file:
            return [candidate_replicas]
        pending_request.routing_context.should_backoff = True
        if time.time() - pending_request.created_at > PATIENCE_SECONDS:
            return [candidate_replicas]
        home = self._home(file, candidate_replicas)
        self._settle(file, home.replica_id)  # others that are about it may be asked for meanwhile
        return [[home]]

    def on_request_routed(
        self, pending_request: PendingRequest, replica_id: ReplicaID, result: Any
    ) -> None:
        """A replica has taken the request."""
        if file := _file_of(pending_request):
            self._settle(file, replica_id)

    def _home(self, file: str, replicas: list[RunningReplica]) -> RunningReplica:
        """Where the file is, or else the replica with the fewest."""
        home = self._homes.get(file)
        for each in replicas:
            if each.replica_id == home or (home is None and file in each.multiplexed_model_ids):
                return each
        files = Counter(self._homes.values())
        return min(replicas, key=lambda each: files[each.replica_id])

    def _settle(self, file: str, home: ReplicaID) -> None:
        self._homes[file] = home
        self._homes.move_to_end(file)
        while len(self._homes) > MOST_KNOWN:
            self._homes.popitem(last=False)


def _file_of(request: PendingRequest | None) -> str:
    return request.metadata.multiplexed_model_id if request else ""
