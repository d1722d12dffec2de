"""Who may ask, and for what: nobody but this machine, nothing but reading, no file but by the index."""

import re

import pytest

from interp_lab.apps.view import address_of, guard, listening, new_token
from tests.apps.view.asking import COOKIE, PORT, TOKEN, id_of, status_of_raw, viewer
from tests.apps.view.made import HOSTILE, keep


@pytest.fixture
def client(tmp_path):
    keep(tmp_path / "out" / "one")
    keep(tmp_path / "out" / HOSTILE.replace("/", ""), model=HOSTILE)
    (tmp_path / "secret.txt").write_text("secret")
    return viewer(tmp_path / "out")


class TestHost:
    @pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}"])
    def test_answers_under_its_own_names(self, client, host):
        assert client.get("/", headers={"host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", "localhost", "", f"[::1]:{PORT}",
         f"127.0.0.1:{PORT}.evil.example", f"127.0.0.1:{PORT}@evil.example"],
    )  # fmt: skip
    def test_and_under_no_other(self, client, host):
        answer = client.get("/", headers={"host": host})
        assert answer.status_code == 400
        assert "one" not in answer.text.split()

    def test_other_sites_may_link_here_but_embed_nothing(self, client):
        linked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert client.get("/", headers=linked).status_code == 200
        for mode in ("no-cors", "cors"):
            assert client.get("/", headers={**linked, "sec-fetch-mode": mode}).status_code == 403
        assert client.get("/", headers={"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}).status_code == 200


class TestToken:
    """Whoever else is at this machine can reach the port."""

    @pytest.fixture
    def stranger(self, client, tmp_path):
        return viewer(tmp_path / "out", cookies=None)

    @pytest.mark.parametrize("path", ["/", "/runs/{id}", "/runs/{id}/report", "/refresh", "/favicon.ico", "/nowhere"])
    @pytest.mark.parametrize(
        "told", ["", "?token=", f"?token={TOKEN}x", f"?token={TOKEN[:-1]}", "?token=%ff", f"?tokens={TOKEN}",
                 "?token=é", f"?token=wrong&token={TOKEN}"],
    )  # fmt: skip
    def test_without_it_nothing_is_told(self, client, stranger, path, told):
        answer = stranger.get(path.format(id=id_of(client, "out/one")) + told)
        assert answer.status_code == 403
        assert answer.text == "open the whole address that interp-lab view printed, token included\n"
        assert "set-cookie" not in answer.headers

    @pytest.mark.parametrize(
        "cookie",
        [f"interp-lab-view-{PORT}={TOKEN}x", f"interp-lab-view-{PORT}=", f"interp-lab-view-{PORT + 1}={TOKEN}",
         f"interp-lab-view-{PORT}=\xff", "nonsense", f"{TOKEN}"],
    )  # fmt: skip
    def test_nor_with_another_cookie(self, stranger, cookie):
        assert stranger.get("/", headers={"cookie": cookie.encode("latin-1")}).status_code == 403

    def test_it_is_exchanged_for_a_cookie_that_no_script_reads_and_leaves_the_address(self, stranger):
        answer = stranger.get(f"/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
        assert {f"interp-lab-view-{PORT}={TOKEN}".lower(), "httponly", "path=/", "samesite=lax"} == parts
        assert stranger.get("/").status_code == 200, "the browser has the cookie now"

    def test_leads_to_no_other_place_than_the_list(self, stranger):
        assert stranger.get(f"/runs/x?token={TOKEN}").headers["location"] == "/"

    def test_is_no_way_around_the_other_rules(self, stranger):
        assert stranger.get(f"/?token={TOKEN}", headers={"host": "evil.example"}).status_code == 400
        assert stranger.post(f"/?token={TOKEN}").status_code == 405
        foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        assert stranger.get(f"/?token={TOKEN}", headers=foreign).status_code == 403

    def test_is_compared_in_constant_time(self, client, monkeypatch):
        compared = []
        monkeypatch.setattr(guard.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or False)
        assert client.get(f"/?token={TOKEN}").status_code == 403
        assert compared == [(TOKEN.encode(), TOKEN.encode())] * 2, "the cookie, then the address"

    def test_is_new_and_long_each_time_and_stands_in_the_address(self):
        made = {new_token() for _ in range(20)}
        assert len(made) == 20
        assert {len(one) for one in made} == {32}
        with listening() as listener:
            assert address_of(listener, "x") == f"http://127.0.0.1:{listener.getsockname()[1]}/?token=x"

    def test_no_page_tells_it(self, client):
        run = id_of(client, "out/one")
        assert TOKEN not in "".join(client.get(path).text for path in ("/", f"/runs/{run}", f"/runs/{run}/report"))
        assert list(COOKIE) == [f"interp-lab-view-{PORT}"]


class TestMethods:
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "MADEUP"])
    @pytest.mark.parametrize("path", ["/", "/nowhere", "/refresh"])
    def test_only_reading_is_allowed(self, client, method, path):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")

    def test_head_is_reading(self, client):
        assert client.head("/").status_code == 200


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "/runs/../secret.txt", "/runs/..%2f..%2fsecret.txt", "/runs/%2e%2e/%2e%2e/secret.txt", "/..%2fsecret.txt",
            "/runs/{folder}/secret.txt", "/runs/%2fetc%2fpasswd", "//etc/passwd", "/etc/passwd", "/runs/one%00",
            "/runs/%00", "/runs/{id}%00", "/runs/{id}/", "/runs/{id}/run.json", "/runs/{id}/report/../run.json",
            "/runs/{id}/..%2frun.json", "/runs/", "/investigations/{id}", "/investigations/..%2fsecret.txt",
            "/static/x", "/docs", "/openapi.json", "/redoc", "/runs/..\\..\\secret.txt", "/runs/%ff%fe",
        ],
    )  # fmt: skip
    def test_lead_to_no_file(self, client, tmp_path, path):
        given = path.format(folder=tmp_path, id=id_of(client, "out/one"))
        answer = client.get(given)
        assert answer.status_code == 404
        assert "secret" not in answer.text.replace("secret.txt", "")

    @pytest.mark.parametrize(
        "path", ["/runs/../../secret.txt", "/../secret.txt", "/runs/one\0", "/./", "", "secret.txt"]
    )
    def test_neither_do_paths_that_no_client_has_tidied(self, client, path):
        assert status_of_raw(client, path) == 404

    @pytest.mark.parametrize("a", ["..%2f..%2fsecret.txt", "%2fetc%2fpasswd", "%00"])
    def test_neither_do_parameters(self, client, a):
        assert client.get(f"/compare?a={a}&b={id_of(client, 'out/one')}").status_code == 404

    def test_a_page_that_lies_elsewhere_is_not_served(self, tmp_path):
        folder = tmp_path / "found"
        keep(folder / "steps" / "one")
        (folder / "hypotheses.json").write_text("{}")
        (folder / "index.html").symlink_to("/etc/hostname")
        assert "it has no page yet" in viewer(folder).get("/").text


class TestHeaders:
    def test_every_answer_forbids_embedding_caching_and_loading(self, client):
        run = id_of(client, "out/one")
        paths = ["/", f"/runs/{run}", f"/runs/{run}/report", "/nowhere", "/refresh", "/favicon.ico", "/?sort=x"]
        for path in paths:
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'"), path
            assert "frame-ancestors 'none'" in policy
            assert "unsafe-inline" not in policy.partition("style-src")[0]
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert not [name for name in headers if name.startswith("access-control")]

    def test_no_page_asks_for_anything_elsewhere(self, client):
        run = id_of(client, "out/one")
        for path in ("/", f"/runs/{run}", "/nowhere"):
            page = client.get(path).text
            assert not re.search(r'(?:src|action)="(?:https?:)?//', page)
            assert '<link rel="icon" href="data:,">' in page

    def test_a_page_of_an_investigation_runs_in_a_sandbox(self, tmp_path):
        keep(tmp_path / "found" / "steps" / "one")
        (tmp_path / "found" / "hypotheses.json").write_text("{}")
        (tmp_path / "found" / "index.html").write_text("<title>Loans</title>who is refused")
        client = viewer(tmp_path)
        [address] = re.findall(r'href="(/investigations/\w+)"', client.get("/").text)
        answer = client.get(address)
        assert "who is refused" in answer.text
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox allow-scripts allow-downloads allow-modals; default-src 'none';")
        assert "allow-same-origin" not in policy


class TestText:
    def test_names_stay_text_everywhere(self, client):
        name = f"out/{HOSTILE}"
        run = id_of(client, name)
        other = id_of(client, "out/one")
        for path in ("/", f"/runs/{run}", f"/runs/{run}/report", f"/compare?a={run}&b={other}", f"/runs/{other}"):
            page = client.get(path)
            assert page.status_code == 200
            assert "<img" not in page.text.partition("<body>")[2].replace("<script", "\n<script").partition("\n")[0]
            assert HOSTILE not in page.text
            assert "&lt;img src=x onerror=alert(1)&gt;" in page.text

    @pytest.mark.parametrize("name", ["q", "experiment", "model"])
    def test_so_do_parameters(self, client, name):
        page = client.get("/", params={name: f'"><script>{HOSTILE}'})
        assert page.status_code == 200
        assert HOSTILE not in page.text
        assert '"><script>&lt;' not in page.text


class TestListening:
    def test_on_this_machine_only_and_on_a_free_port(self):
        with listening() as first, listening() as second:
            assert first.getsockname()[0] == second.getsockname()[0] == "127.0.0.1"
            assert first.getsockname()[1] != second.getsockname()[1]
            with pytest.raises(ValueError, match="is taken; leave --port away"):
                listening(first.getsockname()[1])
