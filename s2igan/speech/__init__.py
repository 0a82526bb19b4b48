"""From a description to the log-mel frames of somebody saying it."""
