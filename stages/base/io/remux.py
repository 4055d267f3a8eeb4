"""Copy streams between containers without decoding them."""

from pathlib import Path

from stages.base.io.containers import NotAVideo, audio_stream, open_container, video_streams


def copy_with_sound(video: Path, sound: Path, out: Path) -> None:
    """Write a Matroska file with the pictures of one video and the sound of another.

    Raises:
        NotAVideo: a file has no such stream, or it cannot be copied to Matroska.
    """
    import av

    with (
        open_container(video) as pictures,
        open_container(sound) as sounds,
        av.open(f"file:{out}", "w", format="matroska", options={"fflags": "+bitexact"}) as copy,
    ):
        streams = video_streams(pictures)
        if not streams:
            raise NotAVideo(video.name, "not a video: it has no pictures that can be decoded")
        sources = ((pictures, streams[0]), (sounds, audio_stream(sounds, sound)))
        try:
            copies = [copy.add_stream_from_template(stream) for _, stream in sources]
            for (container, stream), target in zip(sources, copies, strict=True):
                for packet in container.demux(stream):
                    if packet.dts is not None:  # the last, empty one has none
                        packet.stream = target
                        copy.mux(packet)
        except av.FFmpegError as error:
            raise NotAVideo(video.name, f"cannot get the sound of {sound.name}: {error}") from None
