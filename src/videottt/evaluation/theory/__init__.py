"""Measure the theorem of the paper's section 6.2 and appendix C on a stream."""
