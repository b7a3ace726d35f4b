"""DT One Digital Value Services: mobile credit, data, bills and vouchers in many countries."""
