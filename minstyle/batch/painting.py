"""The pictures, painted one after the other in this process."""

from __future__ import annotations

from collections.abc import Sequence

from ..job.machine import Networks
from ..job.one_of_many import Shared, paint_one
from ..notices import Notice
from ..watch.bystander import Bystander
from ..watch.interrupts import Interrupts
from ..watch.many import ManyPictures
from .plan import Task


def paint_here(
    tasks: Sequence[Task], networks: Networks, bar: ManyPictures, interrupts: Interrupts
) -> dict[int, str | None]:
    """Paint the tasks; by their numbers, None for what is painted, and for what is not the reason.

    An interrupt ends it: tasks that were not come to, or not to the end, are not in it.
    """
    shared, found = Shared(networks), dict[int, str | None]()
    for number, task in enumerate(tasks):

        def tell(notice: Notice, name: str = task.job.out.name) -> None:
            bar.tell(f"{name}: {notice.text}")

        if interrupts.asked is not None:
            break
        watching = [Bystander(bar.observer(number))]
        try:
            found[number] = paint_one(task.job, shared, watching, [interrupts], tell)
        except KeyboardInterrupt:
            break
        bar.done(number)
    return found
