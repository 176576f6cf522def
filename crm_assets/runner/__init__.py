"""The model runner: SQL files and their YAML, data tests, builds and lineage. Does not import Dagster."""
