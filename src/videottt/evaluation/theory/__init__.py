"""The theorem of the paper's section 6.2 and appendix C: checked on a toy, measured on a stream."""
