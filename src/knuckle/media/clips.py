"""Video files and network streams, through FFmpeg."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

from knuckle.errors import SourceError
from knuckle.images import Image
from knuckle.media.decode import Damage
from knuckle.media.live import Break, live_frames, paced
from knuckle.media.pixels import image_of
from knuckle.media.reader import Reader
from knuckle.media.stamps import MIN_STEP_S, FrameTimes
from knuckle.media.streams import OpenVideo
from knuckle.media.threads import in_background
from knuckle.results import Frame


def read_clip(address: str, live: bool | None = None, opened: Callable[[], Any] | None = None) -> Reader:
    """Read a video file or network stream: upright, in square pixels, with the time stamps that it states.

    A file is opened again by each iteration. A stream keeps the connection for the first iteration.

    Args:
        address: a file or an address that FFmpeg knows.
        live: give the newest frame only. A stream without an end then has wall-clock times, and is connected again
            when it breaks off. None: True for streams without an end.
        opened: opens the bytes of a file that FFmpeg cannot open itself, such as one in an archive; `address` is then
            only its name.

    Raises:
        SourceError: it cannot be opened or has no video. The iteration raises it after the last good frame when the
            video ends early.
    """
    first = OpenVideo(address, opened)
    waiting, is_endless, rate = [first], first.is_endless, first.rate
    live = is_endless if live is None else live
    count = first.stream.frames or (round(first.duration_s * rate) if first.duration_s else None)

    def video() -> OpenVideo:
        return waiting.pop() if waiting else OpenVideo(address, opened)

    def frames(reader: Reader) -> Iterator[Frame]:
        if live and is_endless:
            return live_frames(reader, lambda: arriving(video()), shown)
        return recorded(video(), reader, newest=live)

    def release() -> None:
        while waiting:
            waiting.pop().close()

    if opened is not None or os.path.isfile(address):
        release()
    return Reader(address, "live" if live else "video", frames, count, rate, first.duration_s, release)


def recorded(video: OpenVideo, reader: Reader, newest: bool) -> Iterator[Frame]:
    """The frames of a video with an end, with times from its stamps; `newest` drops those that come too early."""
    begin_s, first_s = reader.begin_s, reader.start_s if reader.begin_s else None
    times = FrameTimes(video.rate, video.may_jump, lambda text: reader.note(f"{reader.name}: {text}"), first_s)
    damage = Damage()

    def pictures() -> Iterator[tuple[int, float, Any]]:
        for index, picture in enumerate(video.pictures(damage)):
            time_s = times.next(None if picture.pts is None else float(picture.time))
            if begin_s:
                index = round(time_s * video.rate)
            elif index == 0:
                reader.start_s = times.first_s
                if damage.packets:  # as in recordings of broadcasts
                    reader.note(f"{reader.name}: packets before the first whole picture: {damage.packets}")
                damage.packets = 0
            if time_s > begin_s - MIN_STEP_S:
                yield index, time_s, (picture, video.meaning(picture))

    if reader.one_of_many:
        video.decode_in_one_thread()
    with video:
        if begin_s:
            video.go_to(reader.start_s + begin_s)
        for index, time_s, picture in in_background(pictures(), keep="newest") if newest else pictures():
            if reader.one_of_many:
                yield LateFrame(partial(shown, picture), index, time_s, reader.name)
            else:
                yield Frame(shown(picture), index, time_s, reader.name)
        if damage.packets:
            reader.problems.append(SourceError(f"{reader.name}: skipped damaged packets: {damage.packets}"))
        if not begin_s:
            video.check_complete(times, damage)


def arriving(video: OpenVideo) -> Iterator[Any]:
    """The pictures of one connection to a stream without an end, with what their pixels mean.

    Raises:
        Break: the stream broke off.
    """
    damage = Damage()
    video.decode_without_delay()
    with video:
        pictures = (((picture, video.meaning(picture)), picture.time) for picture in video.pictures(damage))
        for picture, _ in paced(pictures) if video.is_segmented else pictures:
            yield picture
        if damage.trouble or not video.says_its_end:
            raise Break(damage.trouble or "the connection was closed")


def shown(picture: Any) -> Image:
    """The image of a picture and what its pixels mean."""
    return image_of(*picture)


class LateFrame(Frame):
    """A frame whose image is made when it is first asked for; frames that nobody looks at cost less.

    Args:
        image: the image, or a function that makes it.
        index, time_s, source: see `Frame`.
    """

    def __init__(self, image: Image | Callable[[], Image], index: int, time_s: float, source: str) -> None:
        make_image = image if callable(image) else lambda: image
        for name, value in (("make_image", make_image), ("index", index), ("time_s", time_s), ("source", source)):
            object.__setattr__(self, name, value)

    make_image: Callable[[], Image]

    @cached_property
    def image(self) -> Image:
        """RGB uint8 (height, width, 3)."""
        return self.make_image()

    def numbered(self, index: int) -> LateFrame:
        """The frame with another index; its image is still not made."""
        return LateFrame(self.make_image, index, self.time_s, self.source)

    def __reduce__(self) -> tuple[Any, ...]:
        return Frame, (self.image, self.index, self.time_s, self.source)
