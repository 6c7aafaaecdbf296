"""An object store as a lake needs it: whole objects, those that must be new, and files by their sums."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from conf.errors import SettingError, StoreUnreachable
from conf.intact_files import sum_of
from conf.publication import FileSum

_AT_ONCE = 8
T = TypeVar("T")


class ObjectStore:
    """A place below an address such as `s3://bucket/shop`; credentials and endpoint are the environment's.

    Any store will do that can write an object only where there is none, as S3, GCS, Azure and MinIO can.
    """

    def __init__(self, url: str) -> None:
        """Name the place; nothing is asked of it yet.

        Raises:
            SettingError: the address is none of an object store, or its client isn't installed.
        """
        try:
            from obstore.store import from_url  # noqa: PLC0415  (a home without a store needs none)
        except ImportError as error:
            raise SettingError("NIGHTCART_LAKE_STORE needs the package obstore; run `make setup`") from error
        from obstore.exceptions import BaseError  # noqa: PLC0415  (likewise)

        self.url = url.rstrip("/")
        if self.url.startswith("memory:"):
            raise SettingError("NIGHTCART_LAKE_STORE: what is in memory is gone with the process; name a store")
        # A store that is down is told within a minute or two, not within ten.
        options: dict[str, Any] = {"retry_config": {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}}
        if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
            options["client_options"] = {"allow_http": True}
        try:
            self._store = from_url(self.url, **options)
        except (BaseError, ValueError) as error:
            raise SettingError(f"NIGHTCART_LAKE_STORE: {url!r} is no object store: {_first_line(error)}") from error

    def read(self, key: str) -> bytes | None:
        """Return an object's content; None where there is none."""
        import obstore  # noqa: PLC0415
        from obstore.exceptions import NotFoundError  # noqa: PLC0415

        def get() -> bytes | None:
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except (NotFoundError, FileNotFoundError):
                return None

        return self._asked(get, f"read {key}")

    def read_start(self, key: str, n_bytes: int) -> bytes | None:
        """Return the first bytes of an object that has as many; None where there is none."""
        import obstore  # noqa: PLC0415
        from obstore.exceptions import NotFoundError  # noqa: PLC0415

        def get() -> bytes | None:
            try:
                return bytes(obstore.get_range(self._store, key, start=0, end=n_bytes))
            except (NotFoundError, FileNotFoundError):
                return None

        return self._asked(get, f"read {key}")

    def create(self, key: str, content: bytes) -> bool:
        """Write an object where there is none; return False where there was one, which stays.

        A write whose answer was lost is found out by reading it back: content names its writer.

        Raises:
            StoreUnreachable: the store doesn't answer; the message says so where the object may be there nevertheless.
        """
        import obstore  # noqa: PLC0415
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError  # noqa: PLC0415

        try:
            obstore.put(self._store, key, content, mode="create", use_multipart=False)
        except (AlreadyExistsError, PreconditionError, FileExistsError):
            return self.read(key) == content  # ours, of a try whose answer was lost
        except (BaseError, OSError) as error:
            try:
                found = self.read(key)
            except StoreUnreachable:
                raise StoreUnreachable(
                    f"{self.url}: no answer to the writing of {key}: {_first_line(error)}. It may be there or not; the "
                    "next command that reaches the store finds out"
                ) from error
            if found is None:
                raise self._unreachable(f"write {key}", error) from error
            return found == content
        return True

    def replace(self, key: str, content: bytes) -> None:
        """Write an object, whatever there was."""
        import obstore  # noqa: PLC0415

        self._asked(lambda: obstore.put(self._store, key, content, use_multipart=False), f"write {key}")

    def keys_after(self, folder: str, last: str = "") -> list[str]:
        """Return the keys in a folder, in their order, from the one behind `last` on."""
        import obstore  # noqa: PLC0415

        def listed() -> list[str]:
            found = obstore.list(self._store, prefix=folder, offset=last or None)
            return sorted(one["path"] for page in found for one in page)

        return self._asked(listed, f"list {folder}")

    def upload_all(self, files: dict[str, Path]) -> None:
        """Upload files by key, several at once; what is there with the same size stays: keys are named for content."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda item: self._upload(*item), files.items()))

    def download(self, key: str, place: Path, expected: FileSum) -> None:
        """Write an object to a file, durably.

        Raises:
            StoreUnreachable: it can't be read, or isn't what was published.
        """
        import obstore  # noqa: PLC0415

        def fetch() -> None:
            with place.open("wb") as file:
                for piece in obstore.get(self._store, key).stream():
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())

        self._asked(fetch, f"read {key}")
        if sum_of(place) != expected:
            place.unlink()
            raise StoreUnreachable(f"{self.url}/{key}: its bytes are not those that were published; run again")

    def _upload(self, key: str, path: Path) -> None:
        import obstore  # noqa: PLC0415
        from obstore.exceptions import NotFoundError  # noqa: PLC0415

        def put() -> None:
            with suppress(NotFoundError, FileNotFoundError):
                if obstore.head(self._store, key)["size"] == path.stat().st_size:
                    return
            obstore.put(self._store, key, path)

        self._asked(put, f"write {key}")

    def _asked(self, ask: Callable[[], T], what: str) -> T:
        """Return what the store answers.

        Raises:
            StoreUnreachable: it doesn't, or says no.
        """
        from obstore.exceptions import BaseError  # noqa: PLC0415

        try:
            return ask()
        except (BaseError, OSError) as error:
            raise self._unreachable(what, error) from error

    def _unreachable(self, what: str, error: Exception) -> StoreUnreachable:
        if isinstance(error, OSError) and error.strerror:  # this machine's own, such as a full disk
            return StoreUnreachable(f"{self.url}: can't {what}: here: {error.strerror}; nothing was changed")
        return StoreUnreachable(
            f"{self.url}: can't {what}: {_first_line(error)}; nothing was changed. Are the address, the "
            "endpoint (AWS_ENDPOINT_URL) and the credentials right?"
        )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
