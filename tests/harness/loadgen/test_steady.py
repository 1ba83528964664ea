from harness.loadgen.steady import Point, steady_from


def points(*values):
    return [Point(float(t), done, p50) for t, (done, p50) in enumerate(values)]


def test_a_warm_up_is_left_behind():
    warm = [(200, 9000.0), (700, 4000.0), (1000, 1000.0), (1020, 1030.0), (990, 1010.0), (1000, 990.0)]
    assert steady_from(points(*warm)) == 2.0


def test_a_run_that_never_settles_is_told():
    assert steady_from(points(*[(1000, 1000.0 * 2**t) for t in range(6)])) is None
    assert steady_from(points((1000, 1.0))) is None
    assert steady_from(points((0, 1.0), (0, 1.0), (0, 1.0))) is None


def test_chance_alone_is_no_unsteadiness():
    assert steady_from(points((25, 100.0), (36, 110.0), (30, 120.0))) == 0.0
    assert steady_from(points((2500, 100.0), (3600, 110.0), (3000, 120.0))) is None
