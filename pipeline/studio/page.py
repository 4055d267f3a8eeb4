"""The studio's page: face, style, voice and controls on the left, the result on the right."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import fields
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from pipeline.project.people import RAW
from pipeline.runtime.user_errors import UserError
from pipeline.studio.cards import read_people, render_template
from pipeline.studio.choice import FACES, PERSON, PORTRAIT, VIDEO, Choice
from pipeline.studio.render_process import RenderProcess
from pipeline.studio.uploads import KEEP_SECONDS, Workspace
from stages.render.controls import GAZES, LIMITS, Controls

CSS = (Path(__file__).parent / "templates/studio.css").read_text()
THEME = gr.themes.Base(
    primary_hue="blue",
    neutral_hue="gray",
    font=["system-ui", "sans-serif"],  # names alone: Gradio's default fonts come from a CDN
    font_mono=["ui-monospace", "monospace"],
)
_POLL_SECONDS = 0.25
_LABELS = {
    "mouth": "Mouth: factor on its motion",
    "head": "Head: factor on its motion",
    "gaze": "Gaze",
    "blinks": "Blinks a minute",
    "seed": "Seed",
    "size": "Size, px",
    "fps": "Frames/s",
    "start": "Start, s",
    "duration": "Duration, s",
}
_EMPTY = {
    "blinks": "the style's",
    "seed": "the project's",
    "size": "as drawn",
    "fps": "the motion's",
    "start": "0",
    "duration": "to its end",
}


class Studio:
    """The page of one project.

    Args:
        workspace: where uploads and results are kept.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.running: dict[str, RenderProcess] = {}  # by session of the browser

    def close(self) -> None:
        """Kill all renders."""
        for process in list(self.running.values()):
            process.cancel()

    def build(self) -> gr.Blocks:
        """Return the page."""
        with gr.Blocks(
            analytics_enabled=False, title="idiolect studio", delete_cache=(60, KEEP_SECONDS)
        ) as page:
            project = escape(Path.cwd().name)
            head = f"<h1>idiolect studio <span class='soft'>{project}</span></h1>"
            gr.HTML(head, elem_classes="studio-head")
            with gr.Tab("Render"), gr.Row():
                with gr.Column(scale=2, min_width=320):
                    face = gr.Radio(FACES, value=PERSON, label="Face")
                    person = gr.Dropdown(label="Person", elem_id="person")
                    portrait = gr.File(
                        label="Picture of one person from the front",
                        type="filepath",
                        height=140,
                        visible=False,
                        elem_id="portrait",
                    )
                    video = gr.Dropdown(label="Video of a trained person", visible=False)
                    style = gr.Dropdown(label="Style", elem_id="style")
                    voice = gr.Audio(
                        label="Voice",
                        sources=["upload", "microphone"],
                        type="filepath",
                        buttons=[],
                        editable=False,
                        elem_id="voice",
                    )
                    with gr.Accordion("Controls", open=False, elem_id="controls"):
                        controls = _controls()
                    with gr.Row():
                        run = gr.Button("Render", variant="primary", elem_id="render")
                        stop = gr.Button("Cancel", elem_id="cancel")
                with gr.Column(scale=3, min_width=320):
                    result = gr.HTML(render_template("result.html.j2"), elem_id="stage")
                    card = gr.HTML()
            with gr.Tab("People"):
                cards = gr.HTML(elem_id="people")
            private = {"api_visibility": "private", "show_progress": "hidden"}
            page.load(_refresh, None, [person, video, style, cards], **private)
            face.change(_show_face, face, [person, portrait, video], **private)
            person.change(lambda name: name, person, style, **private)
            style.change(lambda name: read_people().card(name), style, card, **private)
            for chosen in (face, person, portrait, video):
                chosen.change(self.preview, [face, person, portrait, video], result, **private)
            run.click(
                self.render,
                [face, person, portrait, video, style, voice, *controls],
                result,
                concurrency_limit=1,
                scroll_to_output=True,
                api_visibility="private",
                show_progress="minimal",
            )
            stop.click(self.cancel, None, None, queue=False, **private)
            page.unload(self.cancel)
        return page

    async def render(
        self,
        request: gr.Request,
        face: str,
        person: str | None,
        portrait: str | None,
        video: str | None,
        style: str | None,
        voice: str | None,
        *controls: Any,
    ) -> AsyncIterator[str]:
        """Yield the result's HTML while a render runs in a process of its own."""
        session = str(request.session_hash)
        names = (field.name for field in fields(Controls))
        values = dict(zip(names, controls, strict=True))
        choice = Choice(face, person, portrait, video, style, voice, values)
        out = self.workspace.new_render() / "talk.mp4"
        shown = self.shown(choice)
        try:
            arguments = choice.arguments(out)
        except UserError as error:
            yield render_template("result.html.j2", **shown, error=error)
            return
        self.running[session] = process = RenderProcess(arguments)
        try:
            while process.code is None:
                progress = process.progress
                yield render_template("result.html.j2", **shown, running=True, progress=progress)
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self.running.pop(session, None)
            await asyncio.to_thread(process.cancel)
        failure = process.error()
        for given in filter(None, (portrait, voice)):
            failure = failure.replace(given, Path(given).name)
        if not failure:
            shown["video"] = self.address(out)
            shown["settings"] = [self.address(file) for file in sorted(out.parent.glob("*.yaml"))]
        yield render_template("result.html.j2", **shown, error=failure)

    def shown(self, choice: Choice) -> dict[str, Any]:
        """Return the variables of the template result.html.j2 for a choice."""
        source = choice.source()
        if source is None:
            picture, label = read_people().picture(choice.person), choice.person
        else:
            picture, label = self.address(source), source.name
        return {
            "source": picture,
            "face": label,
            "film": choice.face == VIDEO,
            "style": choice.style,
        }

    def address(self, path: Path) -> str:
        """Return the address of an upload, a result or a video of the project, for the page."""
        root = RAW if path.is_relative_to(RAW) else self.workspace.root
        return quote(f"{'raw' if root == RAW else 'work'}/{path.relative_to(root).as_posix()}")

    def preview(
        self, face: str, person: str | None, portrait: str | None, video: str | None
    ) -> str:
        """Return the result's HTML before a render: the chosen face alone."""
        choice = Choice(face, person, portrait, video, None, None, {})
        return render_template("result.html.j2", **self.shown(choice))

    def cancel(self, request: gr.Request) -> None:
        """Kill the render of a session."""
        if process := self.running.get(str(request.session_hash)):
            process.cancel()


def _refresh() -> tuple[Any, ...]:
    """Read the project again: what a page shows when it is loaded."""
    people = read_people()
    person = people.seen[0] if people.seen else None
    video = people.videos[0][1] if people.videos else None
    return (
        gr.update(choices=people.seen, value=person),
        gr.update(choices=people.videos, value=video),
        gr.update(choices=people.all, value=person),
        people.card(),
    )


def _show_face(face: str) -> list[Any]:
    return [gr.update(visible=face == kind) for kind in (PERSON, PORTRAIT, VIDEO)]


def _controls() -> list[Any]:
    """Return the widgets of the controls, in their order: sliders, a choice, and short texts."""
    widgets = {name: _control(name) for name in ("mouth", "head", "gaze")}
    names = [field.name for field in fields(Controls)]
    with gr.Row():
        widgets |= {name: _control(name) for name in names if name not in widgets}
    return [widgets[name] for name in names]


def _control(name: str) -> Any:
    default = getattr(Controls, name)
    if name == "gaze":
        return gr.Radio(GAZES, value=default, label=_LABELS[name])
    if default == 1:
        return gr.Slider(*LIMITS[name], value=default, step=0.05, label=_LABELS[name])
    # Not gr.Number, which turns an empty field into 0.
    return gr.Textbox(label=_LABELS[name], placeholder=_EMPTY[name], max_lines=1, min_width=130)
