"""Every variant of one list side by side: the paper's Table 1 and component analysis."""
