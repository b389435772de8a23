"""What the whole suite shares: the count of tests, a private PostgreSQL, a private RabbitMQ, PHP's SOAP server.

A service that is missing fails the tests that need it, with the line to type; nothing is ever skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hub.bus.private_node import PrivateNode
from schemas.errors import BusFault
from tests.support import proof
from tests.support.census import Census
from tests.support.forking import stop_fork_server
from tests.support.php_server import PhpServer, PhpUnavailable, php_server
from tests.support.private_postgres import PostgresUnavailable, PrivatePostgres

pytest_plugins = ["hub.contract"]
LONG = tuple(str(Path(__file__).with_name(folder)) for folder in ("prove", "end_to_end", "docs", "packaging"))

# A slow machine proves nothing wrong. `make test` plays the same examples each time, so that what is red is the
# change's; `make prove` looks at others each time.
settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not proof.THOROUGH, database=None
)
settings.load_profile("here")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Census(), "census")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes goes first, so that no worker is left alone with it in the end."""
    items.sort(key=lambda item: not str(item.path.parent).startswith(LONG))


def pytest_sessionfinish() -> None:
    stop_fork_server()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A running cluster; `database()` makes a fresh database, `template(name, prepare)` one to copy from."""
    try:
        cluster = PrivatePostgres.start()
    except PostgresUnavailable as missing:
        pytest.fail(str(missing), pytrace=False)
    yield cluster
    cluster.stop()


@pytest.fixture
def postgres_url(postgres: PrivatePostgres) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    name = postgres.database()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture(scope="session")
def php_systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhpServer]:
    """PHP's SOAP server with the three systems of tests/end_to_end/php, see `tests.support.php_server`."""
    try:
        with php_server(tmp_path_factory.mktemp("php")) as server:
            yield server
    except PhpUnavailable as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def php(php_systems: PhpServer) -> PhpServer:
    """PHP's SOAP server, with nothing wrong."""
    php_systems.goes_wrong("")
    return php_systems


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateNode]:
    """A running node of the run's own; `amqp_url` is where it answers. A test that stops it starts it again."""
    try:
        node = PrivateNode.start(tmp_path_factory.mktemp("rabbitmq"))
    except BusFault as missing:
        pytest.fail(str(missing), pytrace=False)
    yield node
    node.stop()
