"""What is measured: one blog in two colours, and the external API that both call.

These are exhibits: nothing in here knows that it is being measured.
"""
