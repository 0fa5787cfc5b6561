"""Holds rendered manifests against schemas: those of Kubernetes, and for custom resources those in custom-resources.json.

Reads YAML documents from standard input and prints one JSON object: `objects`, the documents as they are, and `problems`, a
sentence for each object that is not what a version's schema says. Fields that no schema knows are problems, too: a typing error
would otherwise be a setting that is silently not there.
"""

import argparse
import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from importlib_resources import files
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("kubernetes", nargs="+", help="the versions whose schemas count, such as 1.34")
arguments = parser.parse_args()

CUSTOM = json.loads((Path(__file__).parent / "custom-resources.json").read_text(encoding="utf-8"))


def definitions(version: str) -> Registry:
    """What custom-resources.json refers to: Kubernetes' own types, by the name its schemas use."""
    folder = files("kubernetes_validate").joinpath("kubernetes-json-schema")
    strict = folder.joinpath(f"v{version}.0-local-strict", "_definitions.json")
    kubernetes = json.loads(strict.read_text(encoding="utf-8"))
    resources = [("_definitions.json", kubernetes), ("custom-resources.json", CUSTOM)]
    return Registry().with_resources(
        (name, Resource.from_contents(contents, default_specification=DRAFT202012)) for name, contents in resources
    )


def problem(item: dict, version: str, registry: Registry) -> str | None:
    kind = f"{item['apiVersion']}/{item['kind']}"
    told = f"Kubernetes {version}: {item['kind']} {item['metadata']['name']}"
    try:
        if kind in CUSTOM["kinds"]:
            schema = {"$ref": "custom-resources.json#/kinds/" + kind.replace("/", "~1")}
            jsonschema.Draft202012Validator(schema, registry=registry).validate(item)
        else:
            kubernetes_validate.validate(item, version, strict=True)
    except jsonschema.ValidationError as error:
        return f"{told}: {'.'.join(map(str, error.absolute_path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"{told}: no schema is known for {kind}, see tests/tools/custom-resources.json"
    return None


objects = [item for item in yaml.load_all(sys.stdin, Loader=yaml.CSafeLoader) if item is not None]
problems = []
for version in arguments.kubernetes:
    registry = definitions(version)
    problems += [told for item in objects if (told := problem(item, version, registry)) is not None]
json.dump({"objects": objects, "problems": problems}, sys.stdout)
