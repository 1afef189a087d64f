"""Methods of pandas that call a function many times: the calls are computed first, then pandas takes the results."""
