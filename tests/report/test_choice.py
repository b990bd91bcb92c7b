"""The lines chosen to be read are the extremes that their headings promise."""

import numpy as np

from nmt.report.choice import differences, extremes, spread

CHRF = np.array([50.0, 100.0, 0.0, 100.0, 20.0, 70.0, 30.0, 60.0])


def test_extremes_are_in_order_and_of_equal_ones_the_longer_comes_first():
    largest, smallest = extremes(CHRF, [1, 2, 3, 4, 5, 6, 7, 8])
    assert largest == [3, 1, 5, 7, 0, 6]
    assert smallest == [2, 4, 6, 0, 7, 5]


def test_differences_leave_out_lines_that_are_equally_good_and_name_no_line_twice():
    other = CHRF.copy()
    other[[2, 5]] += [10, -5]
    assert differences(CHRF, other) == ([5], [2])
    assert differences(CHRF, CHRF) == ([], [])


def test_heat_maps_go_from_the_smallest_to_the_largest_chrf_of_lines_that_fit():
    sizes = [(5, 5)] * len(CHRF)
    sizes[2], sizes[1] = (41, 5), (5, 0)
    chosen = spread(CHRF, sizes)
    assert chosen[0] == 4
    assert chosen[-1] == 3
    assert list(CHRF[chosen]) == sorted(CHRF[chosen])
    assert not {1, 2} & set(chosen)


def test_where_no_line_fits_none_is_chosen():
    assert spread(CHRF, [(100, 100)] * len(CHRF)) == []
