# Draws what an operation costs at each size: gnuplot -e "data='FILE'; picture='FILE'" latency.gp
set terminal svg size 1000,760 font 'sans-serif,12' background 'white' dynamic
set output picture
set datafile missing '?'
set logscale xy
set format x ''
set xtics ('100 B' 100, '1 KiB' 1024, '16 KiB' 16384, '1 MiB' 1048576, '16 MiB' 16777216, '256 MiB' 268435456)
set ytics ('100 ns' 1e2, '1 us' 1e3, '10 us' 1e4, '100 us' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8, '1 s' 1e9)
set xrange [70:400e6]
set yrange [70:4e9]
set grid xtics ytics lc rgb '#dddddd'
set key off
set linetype 1 lw 3 pt 7 ps 0.6 lc rgb '#d62728'
set linetype 2 lw 1.5 pt 5 ps 0.5 lc rgb '#1f77b4'
set linetype 3 lw 1.5 pt 9 ps 0.5 lc rgb '#2ca02c'
set linetype 4 lw 1.5 pt 11 ps 0.5 lc rgb '#9467bd'
set linetype 5 lw 1.5 pt 13 ps 0.5 lc rgb '#8c564b'
set linetype 6 lw 1.5 pt 4 ps 0.5 lc rgb '#ff7f0e'
set linetype 7 lw 1.5 pt 6 ps 0.5 lc rgb '#7f7f7f'
set linetype 8 lw 1.5 pt 8 ps 0.5 lc rgb '#17becf'
array titles[4] = ['put, a new value', 'put, the same again', 'get, without reading it', 'get and read every byte']
set multiplot layout 2,2 margins 0.07,0.97,0.06,0.95 spacing 0.085,0.1
do for [measure = 1:4] {
    set title titles[measure]
    set key off
    if (measure == 4) { set key top left samplen 2 spacing 0.9 invert font ',11' }
    plot for [i = 7:0:-1] data index i using 1:(column(measure + 1)) with linespoints lt (i + 1) title columnheader(1)
}
unset multiplot
