"""The networks that turn a clip into a feature, each with a record of how its input is prepared."""
