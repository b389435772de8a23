"""Why a connection was lost, in one line, out of whatever pika wraps it in."""

from __future__ import annotations

import pika.exceptions
import pytest
from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed, AMQPConnectorSocketConnectError

from hub.bus.channel import Loss, explain


@pytest.mark.parametrize(
    ("error", "loss"),
    [
        (None, Loss("the connection was closed")),
        (ConnectionRefusedError(111, "Connection refused"), Loss("Connection refused")),
        (TimeoutError(), Loss("TimeoutError")),
        (
            pika.exceptions.AMQPConnectionError(
                AMQPConnectionWorkflowFailed(
                    [AMQPConnectorSocketConnectError(ConnectionRefusedError(111, "Connection refused"))]
                )
            ),
            Loss("Connection refused"),
        ),
        (pika.exceptions.StreamLostError("Transport indicated EOF"), Loss("the broker closed the connection")),
        (
            pika.exceptions.ConnectionClosedByBroker(320, "CONNECTION_FORCED - broker shut down"),
            Loss("CONNECTION_FORCED - broker shut down (320)"),
        ),
        (
            pika.exceptions.ChannelClosedByBroker(406, "PRECONDITION_FAILED - inequivalent arg"),
            Loss("PRECONDITION_FAILED - inequivalent arg (406)", refused=True),
        ),
        (
            pika.exceptions.ProbableAuthenticationError("ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - no'"),
            Loss("ACCESS_REFUSED - no (403)", refused=True),
        ),
        (pika.exceptions.ChannelWrongStateError("Channel is closed."), Loss("Channel is closed.")),
    ],
)
def test_the_innermost_cause_is_told(error: BaseException | None, loss: Loss) -> None:
    assert explain(error) == loss
