"""Read metrics as Prometheus's own client library does, in both of its formats.

Reads {"text", "openmetrics"} from stdin and prints {"text": FAMILIES, "openmetrics": FAMILIES}, each family as
{"name", "type", "help", "samples": [{"name", "labels", "value"}]}. Exits with an error for what it cannot read.
"""

import json
import sys

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text


def families(parsed) -> list[dict]:
    return [
        {
            "name": family.name,
            "type": family.type,
            "help": family.documentation,
            "samples": [
                {"name": sample.name, "labels": sample.labels, "value": sample.value} for sample in family.samples
            ],
        }
        for family in parsed
    ]


def main() -> None:
    task = json.load(sys.stdin)
    read = {
        "text": families(text.text_string_to_metric_families(task["text"])),
        "openmetrics": families(openmetrics.text_string_to_metric_families(task["openmetrics"])),
    }
    json.dump(read, sys.stdout)


main()
