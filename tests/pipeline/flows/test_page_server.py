"""The project's page over HTTP, by real requests."""

import os
from pathlib import Path

import pytest

pytest.importorskip("prefect", reason="needs the extra `flows`")

import httpx

from pipeline.flows import page_server


def get(address: str, **headers: str) -> tuple[int, bytes]:
    answer = httpx.get(address, headers=headers, trust_env=False)
    return answer.status_code, answer.content


@pytest.fixture
def page(workdir: Path) -> Path:
    page = workdir / "reports/index.html"
    (page.parent / "videos").mkdir(parents=True)
    page.write_text("<p>first</p>")
    (page.parent / "videos/a.mp4").write_bytes(bytes(range(100)))
    (workdir / "secret").write_text("secret")
    return page


def test_the_page_is_served_as_it_is_now_with_parts_of_its_videos(page: Path) -> None:
    with page_server.serving(page) as address:
        assert os.environ[page_server.ADDRESS] == address
        assert get(address) == (200, b"<p>first</p>")
        page.write_text("<p>second</p>")
        assert get(address) == (200, b"<p>second</p>")
        video = f"{address.rpartition('/')[0]}/videos/a.mp4?1764000000"
        assert get(video, Range="bytes=10-12") == (206, bytes([10, 11, 12]))
    assert page_server.ADDRESS not in os.environ
    with pytest.raises(httpx.ConnectError):
        get(address)


def test_nothing_outside_the_folder_and_no_other_host_name_is_answered(page: Path) -> None:
    with page_server.serving(page) as address:
        root = address.rpartition("/")[0]
        assert get(f"{root}/%2e%2e/secret")[0] == 404
        assert get(address, Host="example.org")[0] == 400


def test_a_second_project_gets_a_port_of_its_own(page: Path) -> None:
    with page_server.serving(page) as first, page_server.serving(page) as second:
        assert first != second
        assert get(first) == get(second) == (200, b"<p>first</p>")
