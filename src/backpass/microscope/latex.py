"""stub"""


def latex(trace, row=0, **options):
    raise NotImplementedError
