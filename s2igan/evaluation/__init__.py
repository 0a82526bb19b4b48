"""Paper §2.4 and Fig. 3: protocols, keyword figures, controls and their report."""
