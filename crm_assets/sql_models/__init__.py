"""The model runner: SQL files with their YAML, tests, builds and lineage. Does not import Dagster."""
