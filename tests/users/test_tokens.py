"""The signing secret."""

import base64
import os
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from overbookr.settings import Settings
from overbookr.users.tokens import SecretRefused, load_secret


def settings_with(secret: str | None, folder: Path) -> Settings:
    return Settings(_env_file=None, jwt_secret=secret, data_dir=folder)


@pytest.fixture(autouse=True)
def _no_secret_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OVERBOOKR_JWT_SECRET", "JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "weak",
    [
        "secret", "x", "a" * 31, "a" * 64, "ab" * 32, "secret" * 10, "secretsecretsecretsecretsecretsecr",
        "secret" + "0" * 40, "secret" + "x" * 40, "secret-0123456789-0123456789-0123456789",
        "____________secret____________________",
        "your_jwt_secret_key_here", "your_jwt_secret_key_here________", "your_jwt_secret_key_here12345678",
        "YOUR-JWT-SECRET-KEY-HERE-YOUR-JWT-SECRET", "your-256-bit-secret-your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long", "changeme-changeme-changeme-changeme",
        "please-change-me-before-you-go-live!!",
        "CHANGE_THIS_TO_SOMETHING_RANDOM_PLEASE", "replace-me-with-a-real-secret-0123456789",
        "12345678901234567890123456789012",
        " " * 40, "password" * 5, "passwordpasswordpasswordpassword1",
    ],
)  # fmt: skip
def test_weak_secrets_are_refused(weak: str, tmp_path: Path) -> None:
    with pytest.raises(SecretRefused) as refused:
        load_secret(settings_with(weak, tmp_path))
    if len(weak) > 8:
        assert weak not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_random_secrets_are_taken(tmp_path: Path) -> None:
    for _ in range(25):
        for secret in (
            secrets.token_hex(32),
            secrets.token_hex(16),
            secrets.token_urlsafe(32),
            base64.b64encode(secrets.token_bytes(48)).decode(),
        ):
            assert load_secret(settings_with(secret, tmp_path)) == secret.encode()


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    first = load_secret(settings_with(None, folder))
    assert len(first) >= 48
    assert load_secret(settings_with(None, folder)) == first
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_secret(settings_with(None, tmp_path / "elsewhere")) != first


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_text("")
    with pytest.raises(SecretRefused, match="jwt_secret has only 0 bytes"):
        load_secret(settings_with(None, tmp_path))


LOADER = """
import sys
from pathlib import Path
from overbookr.settings import Settings
from overbookr.users.tokens import load_secret
settings = Settings(_env_file=None, data_dir=Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(load_secret(settings).decode())
"""


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", LOADER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    found = {worker.communicate(timeout=30)[0].strip() for worker in workers}
    assert len(found) == 1
    assert os.listdir(tmp_path) == ["jwt_secret"]
    assert (tmp_path / "jwt_secret").read_text() in found
