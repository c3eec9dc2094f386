"""Commits and tags that their maker vouches for, and what becomes of them when a byte changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.publish import move_head
from mu2net_core.api.setup import config
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.exchanges import policy_for
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.tag import create
from mu2net_core.api.signing.keys import fingerprint
from mu2net_core.api.signing.signing import Signer, committer, is_valid, put_commit, signer_of
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.objects import Commit, Signature, decode, encode, signed_bytes
from mu2net_core.repo import Repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

AT = "2026-01-02T03:04:05.000000+00:00"
COMMIT = Commit(task="a", task_id="1" * 64, parents=("2" * 64,), started_at=AT, finished_at=AT, message="ö")


def write_key(path: Path, key: Ed25519PrivateKey) -> Path:
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    path.with_suffix(".pub").write_text(f"{public} ann@example.org\n")
    return path


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def signing(repo: Repository, context: Context, tmp_path: Path, key: Ed25519PrivateKey) -> Repository:
    """Returns a repository whose commits are signed."""
    config.set_(repo, context, "sign.key", str(write_key(tmp_path / "id", key)))
    return repo


def head_commit(repo: Repository, task: str) -> Commit:
    head = repo.refs.head(task)
    assert head is not None
    return repo.objects.commit(head.commit)


def is_signed(repo: Repository, commit: Commit) -> bool:
    assert commit.signature is not None
    return is_valid(commit.signature, signed_bytes("commit", encode(commit)))


def test_without_a_key_nothing_is_signed_and_nothing_changes(repo: Repository, context: Context) -> None:
    assert signer_of(repo, context) is None
    assert repo.objects.commit(put_commit(repo, context, COMMIT)) == COMMIT
    assert b"signature" not in encode(COMMIT)


def test_all_that_is_made_here_is_signed(signing: Repository, context: Context, key: Ed25519PrivateKey) -> None:
    add_task(signing, context, "sklearn:digits")
    rm_task(signing, context, "digits")
    reset(signing, context, "digits", "@{1}")
    signed = [head_commit(signing, "digits")]
    signed += [signing.objects.commit(state.commit) for state in signing.refs.log("digits")]
    assert len(signed) == 4
    assert all(is_signed(signing, commit) for commit in signed)
    assert {c.signature.key for c in signed if c.signature} == {key.public_key().public_bytes_raw().hex()}


def test_what_settles_a_conflict_is_signed(signing: Repository, context: Context) -> None:
    sign = policy_for(signing, context, "ours").sign
    assert is_signed(signing, sign(COMMIT))


def test_an_iteration_is_signed_and_a_merge_that_anybody_makes_is_not(signing: Repository, context: Context) -> None:
    add_sample_task(signing, "a")
    base = evolve_sample(signing, "a", score=0.5)
    before = signing.objects.commit(base.commit)
    mine = put_commit(signing, context, replace(before, parents=(base.commit,), message="mine"))
    evolve_sample(signing, "a", score=0.6)
    move_head(signing, context, "a", mine)
    assert is_signed(signing, signing.objects.commit(mine))
    assert head_commit(signing, "a").signature is None


def test_a_tag_is_signed_with_its_name(signing: Repository, context: Context) -> None:
    add_sample_task(signing, "a")
    info = create(signing, context, "v1")
    snapshot = signing.objects.stored_snapshot(info.snapshot)
    assert (snapshot.tag, info.tasks) == ("v1", ("a",))
    assert snapshot.signature is not None
    assert is_valid(snapshot.signature, signed_bytes("snapshot", signing.objects.read("snapshot", info.snapshot)))
    assert create(signing, context, "v1") == info
    assert create(signing, context, "v2").snapshot != info.snapshot


def test_a_signature_is_for_one_kind_of_thing(key: Ed25519PrivateKey) -> None:
    data = encode(COMMIT)
    assert signed_bytes("commit", data) != signed_bytes("snapshot", data)
    signature = Signature(key=key.public_key().public_bytes_raw().hex(), value=key.sign(data).hex())
    assert not is_valid(signature, signed_bytes("commit", data))


@given(st.data())
def test_no_byte_of_a_signed_commit_can_change(data: st.DataObject) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    signer = Signer(key=private.public_key().public_bytes_raw().hex(), sign=private.sign)
    whole = encode(signer.commit(COMMIT))
    place, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    changed = whole[:place] + bytes([byte]) + whole[place + 1 :]
    assert accepted(whole)
    assert accepted(changed) == (changed == whole)


@pytest.mark.parametrize(
    "change",
    [{"note": 1}, {"removed": True}, {"signature": {"key": "0" * 64, "value": "0" * 128}}, {"parents": []}],
    ids=str,
)
def test_nothing_can_be_added_to_a_signed_commit(key: Ed25519PrivateKey, change: dict[str, object]) -> None:
    signer = Signer(key=key.public_key().public_bytes_raw().hex(), sign=key.sign)
    plain = {**json.loads(encode(signer.commit(COMMIT))), **change}
    assert not accepted(json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def accepted(data: bytes) -> bool:
    """Returns whether bytes are a commit with a signature by the key that signed ``COMMIT``."""
    try:
        commit = decode(data, Commit, what="it")
        message = signed_bytes("commit", data)
    except (ValueError, CorruptObjectError):
        return False
    mine = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw().hex()
    return commit.signature is not None and commit.signature.key == mine and is_valid(commit.signature, message)


class TestKeys:
    def test_a_key_that_is_not_there(self, repo: Repository, context: Context) -> None:
        with pytest.raises(NotFoundError, match=r"There is no key .*nowhere/id, which sign\.key names"):
            config.set_(repo, context, "sign.key", "nowhere/id")
        repo.update_config(lambda config: config.with_setting("sign.key", "nowhere/id"))
        with pytest.raises(NotFoundError, match=r"There is no key .*nowhere/id, which sign\.key names") as error:
            add_task(repo, context, "sklearn:digits")
        assert "ssh-keygen -t ed25519" in str(error.value.hint)
        assert repo.refs.tasks() == ()

    @pytest.mark.parametrize("content", [b"", b"secret words", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
    def test_a_file_that_is_no_key_and_is_not_shown(
        self, repo: Repository, context: Context, tmp_path: Path, content: bytes
    ) -> None:
        (tmp_path / "id").write_bytes(content)
        with pytest.raises(InvalidInputError, match="no private key that OpenSSH made") as error:
            config.set_(repo, context, "sign.key", str(tmp_path / "id"))
        assert "secret words" not in str(error.value)

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [(["-t", "ed25519", "-N", "a passphrase"], "is encrypted"), (["-t", "ecdsa", "-N", ""], "of another type")],
    )
    def test_keys_that_cannot_sign_here(
        self, repo: Repository, context: Context, tmp_path: Path, options: list[str], complaint: str
    ) -> None:
        generate(tmp_path / "id", *options)
        with pytest.raises(InvalidInputError, match=complaint):
            config.set_(repo, context, "sign.key", str(tmp_path / "id"))
        repo.update_config(lambda config: config.with_setting("sign.key", str(tmp_path / "id")))
        with pytest.raises(InvalidInputError, match=complaint):
            signer_of(repo, context)

    def test_a_key_that_openssh_made(self, repo: Repository, context: Context, tmp_path: Path) -> None:
        generate(tmp_path / "id", "-t", "ed25519", "-N", "")
        config.set_(repo, context, "sign.key", str(tmp_path / "id"))
        signer = signer_of(repo, context)
        assert signer is not None
        assert is_signed(repo, signer.commit(COMMIT))
        listed = subprocess.run(["ssh-keygen", "-lf", str(tmp_path / "id")], capture_output=True, text=True, check=True)
        assert fingerprint(signer.key) in listed.stdout

    def test_the_path_stays_on_this_machine(self, signing: Repository) -> None:
        assert "sign.key" in signing.config.settings
        assert "sign.key" not in signing.config.shared_settings

    def test_a_user_can_sign_everywhere_but_here(
        self, repo: Repository, context: Context, tmp_path: Path, key: Ed25519PrivateKey
    ) -> None:
        write_key(tmp_path / "id", key)
        (tmp_path / "user.toml").write_text(f'[settings.sign]\nkey = "{tmp_path / "id"}"\n')
        context = replace(context, user_config=tmp_path / "user.toml")
        assert signer_of(repo, context) is not None
        config.set_(repo, context, "sign.key", "")
        assert signer_of(repo, context) is None


def generate(path: Path, *options: str) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("there is no ssh-keygen")
    subprocess.run(["ssh-keygen", "-q", "-f", str(path), "-C", "ann", *options], check=True, capture_output=True)


@pytest.fixture
def ssh_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Returns the environment of an ssh-agent that holds no key."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("there is no ssh-agent")
    socket = tmp_path_factory.mktemp("s") / "a"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # it listens
    yield {**os.environ, "SSH_AUTH_SOCK": str(socket)}
    process.terminate()
    process.wait()
    process.stdout.close()


class TestSshAgent:
    def test_signs_with_a_key_that_only_it_can_read(
        self, repo: Repository, context: Context, tmp_path: Path, key: Ed25519PrivateKey, ssh_agent: dict[str, str]
    ) -> None:
        path = write_key(tmp_path / "id", key)
        path.chmod(0o600)
        subprocess.run(["ssh-add", "-q", str(path)], env=ssh_agent, check=True)
        path.unlink()
        config.set_(repo, context, "sign.key", str(tmp_path / "id.pub"))
        signer = signer_of(repo, replace(context, environ={"SSH_AUTH_SOCK": ssh_agent["SSH_AUTH_SOCK"]}))
        assert signer is not None
        assert is_signed(repo, signer.commit(COMMIT))

    def test_that_does_not_hold_the_key(
        self, repo: Repository, context: Context, tmp_path: Path, key: Ed25519PrivateKey, ssh_agent: dict[str, str]
    ) -> None:
        write_key(tmp_path / "id", key)
        config.set_(repo, context, "sign.key", str(tmp_path / "id.pub"))
        for environ, complaint in (
            ({"SSH_AUTH_SOCK": ssh_agent["SSH_AUTH_SOCK"]}, "does not hold the key"),
            ({"SSH_AUTH_SOCK": str(tmp_path / "gone")}, "does not answer"),
            ({}, "no ssh-agent runs here"),
        ):
            with pytest.raises(InvalidInputError, match=complaint):
                put_commit(repo, replace(context, environ=environ), COMMIT)


def test_a_signature_is_lower_case_hex() -> None:
    for key, value in (("A" * 64, "0" * 128), ("0" * 64, "0" * 127), ("0" * 63, "0" * 128)):
        with pytest.raises(ValueError, match="lower-case hex"):
            Signature(key=key, value=value)


def test_the_example_in_the_format_is_signed() -> None:
    page = (Path(__file__).parents[3] / "docs" / "format.md").read_text(encoding="utf-8")
    example = next(line for line in page.splitlines() if line.startswith("{") and '"signature"' in line).encode()
    signature = decode(example, Commit, what="the example").signature
    assert signature is not None
    zeros = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw().hex()
    assert signature.key == zeros
    assert is_valid(signature, signed_bytes("commit", example))


@pytest.mark.parametrize("name", ["", "team-a", "a b"])
def test_a_commit_calls_the_machine_as_its_owner_wants(repo: Repository, context: Context, name: str) -> None:
    assert committer(repo, context).host == context.host
    config.set_(repo, context, "commit.host", json.dumps(name))
    assert committer(repo, context).host == name
    named = replace(context, environ={"MU2NET_COMMIT_HOST": "elsewhere"})
    assert committer(repo, named).host == "elsewhere"
    wrong = replace(context, environ={"MU2NET_COMMIT_HOST": "x" * 256})
    with pytest.raises(InvalidInputError, match=r"commit\.host: expected a name of up to 255 characters"):
        committer(repo, wrong)


def test_no_host_name_is_in_what_is_shared_if_so_wanted(repo: Repository, context: Context, tmp_path: Path) -> None:
    context = replace(context, host="anns-laptop")
    config.set_(repo, context, "commit.host", "")
    add_sample_task(repo, "a")
    rm_task(repo, context, "a")
    remote.add(repo, context, "origin", "shared")
    push(repo, context)
    files = [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"anns-laptop" in path.read_bytes()]
