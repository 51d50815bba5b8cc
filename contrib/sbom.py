#!/usr/bin/env python3
"""Prints a CycloneDX bill of materials of the binary: sbom.py TARGET [FEATURE ...] (default: all default features).

The crates are those that cargo resolves for the target without development dependencies; the hashes are those of
Cargo.lock. The same tree gives the same bytes.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    target, features = sys.argv[1], sys.argv[2:]
    chosen = ["--no-default-features", "--features", ",".join(features)] if features else []
    listed = ["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]
    crates = {}
    for line in cargo(*listed, "--target", target, *chosen).splitlines():
        name, version = line.split()[:2]
        crates[name, version.removeprefix("v")] = None
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    hashes = {
        (package["name"], package["version"]): package.get("checksum")
        for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    }
    own = next(key for key in crates if key[0] == "udpecho")
    del crates[own]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(own, packages[own], None, "application")},
        "components": [component(key, packages[key], hashes.get(key), "library") for key in sorted(crates)],
    }
    json.dump(document, sys.stdout, indent=2)
    print()


def cargo(*arguments: str) -> str:
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def component(key: tuple[str, str], package: dict, checksum: str | None, kind: str) -> dict:
    name, version = key
    purl = f"pkg:cargo/{name}@{version}"
    found = {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("license"):
        # Older crates separate alternatives by a slash.
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    return found


main()
