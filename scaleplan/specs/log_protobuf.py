"""Messages of other tools' logs in protocol buffers, of which only the fields that are read are described.

Fields are known by their numbers, which a tool keeps for ever (protobuf.dev, "Updating A Message Type"); all others are
passed over. So a log is read without the tool that wrote it: TensorBoard and Weights & Biases with all they need take
70 and 80 MB, protobuf alone 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from scaleplan.errors import UsageError

Kind = Literal["double", "float", "int32", "int64", "bytes"]
"""Text is read as bytes, which lie in a message just so: damaged text is for the reader to judge."""


class Field(NamedTuple):
    """A field of a message: its number, its kind or the message that it is, and whether it stands several times."""

    number: int
    kind: Kind | str
    many: bool = False


Schema = Mapping[str, Mapping[str, Field]]
"""Fields by name, of messages by name."""


def message_class(schema: Schema, message: str, extra: str) -> type[Any]:
    """The class of a message; ``FromString`` makes one of bytes and raises protobuf's ``DecodeError``.

    Args:
        schema: every message that it is made of.
        message: its name.
        extra: of scaleplan, which brings what is needed.

    Raises:
        UsageError: protobuf is not installed.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise UsageError(
            f"this log needs the package protobuf, 4.22 or later: pip install 'scaleplan[{extra}]'"
        ) from None
    file = descriptor_pb2.FileDescriptorProto(name=f"{extra}.proto", package=extra, syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in schema.items():
        described = file.message_type.add(name=name)
        for each, field in fields.items():
            label = kinds.LABEL_REPEATED if field.many else kinds.LABEL_OPTIONAL
            if field.kind in schema:
                described.field.add(
                    name=each, number=field.number, label=label, type=kinds.TYPE_MESSAGE,
                    type_name=f".{extra}.{field.kind}",
                )  # fmt: skip
            else:
                kind = kinds.Type.Value(f"TYPE_{field.kind.upper()}")
                described.field.add(name=each, number=field.number, label=label, type=kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{extra}.{message}"))


def decode_error() -> type[Exception]:
    """What ``FromString`` raises of bytes that are no message."""
    from google.protobuf.message import DecodeError

    return DecodeError
